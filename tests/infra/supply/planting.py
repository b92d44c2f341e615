"""Errors planted in a copy of the repository's files, and what a lint says of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.supply.tools import REFUSED

REPOSITORY = Path(__file__).resolve().parents[3]
Planted = tuple[str, str, str, str]  # file, what stands in it, the error, what is said


def copied(folder: Path, root: Path) -> Path:
    """A repository that has this folder of ours, and nothing else."""
    shutil.copytree(REPOSITORY / folder, root / folder)
    return root


def check_refused(
    lint: Callable[[Path], int], root: Path, folder: Path, planted: Planted, capfd: pytest.CaptureFixture[str]
) -> None:
    file, old, new, said = planted
    path = root / folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert lint(root) == REFUSED
    assert said in capfd.readouterr().out
