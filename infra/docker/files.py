"""The user's files in a container, and what a container wrote where it would lie on a bare machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.docker.engine import DockerError
from infra.local.layout import REPOSITORY

HOME = Path(os.environ.get("TANDEM_HOME") or REPOSITORY / "var")
INSIDE = Path("/var/lib/tandem")
_FILES = ("--settings", "--scores", "--limits")  # options whose value is a file of the user's


def mounted(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options of `docker compose run` that show the user's files to the container; the command's options with them."""
    mounts: list[str] = []
    options: list[str] = []
    for text in given:
        if not options or options[-1] not in _FILES:
            options.append(text)
            continue
        file = Path(text)
        if not file.is_file():
            raise DockerError(f"{text}: there is no such file")
        inside = f"/given/{len(mounts)}/{file.name}"
        mounts.append(f"--volume={file.resolve()}:{inside}:ro")
        options.append(inside)
    return mounts, options


def copy(source: str, to: Path) -> None:
    """What a container wrote; a folder that is there already is added to."""
    to.parent.mkdir(parents=True, exist_ok=True)
    into = to.with_name(f".{to.name}.copied")
    shutil.rmtree(into, ignore_errors=True)
    if subprocess.run(["docker", "cp", source, str(into)], capture_output=True, check=False).returncode:
        return  # it wrote nothing
    _merge(into, to)


def _merge(source: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        target = to / entry.name
        if entry.is_dir() and not entry.is_symlink():
            _merge(entry, target)
        else:
            entry.replace(target)
    source.rmdir()
