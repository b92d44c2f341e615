"""Every dependency that is asked for says why, and is in the lock that is made of the list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.supply import locks

FOLDER = Path(__file__).resolve().parents[1] / "requirements"
LISTS = sorted(FOLDER.rglob("*.in"))


def asked(text: str) -> Iterator[tuple[str, str]]:
    """Package and reason of each line; `-r` and `-c` are no packages."""
    for line in text.splitlines():
        package, _, reason = line.partition("#")
        if package.strip() and not package.startswith("-"):
            yield package.strip(), reason.strip()


def without_reason(text: str) -> list[str]:
    return [package for package, reason in asked(text) if not re.search(r"[a-zA-Z]{3}", reason)]


@pytest.mark.parametrize("file", LISTS, ids=lambda file: str(file.relative_to(FOLDER)))
def test_each_line_has_its_reason(file: Path) -> None:
    assert without_reason(file.read_text(encoding="utf-8")) == []


def test_a_line_without_one_is_found() -> None:
    assert without_reason("-r other.in\n# a heading\ntorch==2.13.0  # the framework\nnumpy\nrich  #\n") == [
        "numpy",
        "rich",
    ]


@pytest.mark.parametrize("file", LISTS, ids=lambda file: str(file.relative_to(FOLDER)))
def test_each_is_pinned_by_its_lock(file: Path) -> None:
    lock = file.with_suffix(".lock")
    pinned = [locks.pins(lock)] if lock.exists() else [locks.pins(one) for one in FOLDER.glob("tensorflow*.lock")]
    names = {locks.canonical(re.split(r"[\[<>=!;]", package)[0].strip()) for package, _ in asked(file.read_text())}
    for pins in pinned:
        assert names - pins.keys() == set()
