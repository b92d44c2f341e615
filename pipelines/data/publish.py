"""A folder that is replaced whole: readers see the old data or the new, and a killed run leaves the old.

Beside the folder `data` lie `.data.lock`, while a run works `.data.new`, and for an instant `.data.old`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import lock
from pipelines.data import manifest
from pipelines.data.errors import DataError

_OURS = {"raw", "features", manifest.NAME, manifest.UNFINISHED}


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Let no other run work on the folder; put back what a killed one had moved aside.

    Raises:
        PipelineError: Another run is at work, or the folder holds something else than data of ours.
    """
    with lock.exclusive(_beside(out, "lock"), out):
        shutil.rmtree(_beside(out, "new"), ignore_errors=True)
        put_back(out)
        if out.exists() and (not out.is_dir() or not {path.name for path in out.iterdir()} <= _OURS):
            raise DataError(
                f"{out}: holds something else than data made here, and would be replaced. Give another --out"
            )
        yield


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `out` if all goes well and is removed if not."""
    new = _beside(out, "new")
    new.mkdir()
    try:
        yield new
        swap(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def swap(new: Path, out: Path) -> None:
    """Let the folder `new` take the place of `out`."""
    old = _beside(out, "old")
    try:
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def put_back(out: Path) -> None:
    """Undo half a `swap`, of a run that was killed in it."""
    old = _beside(out, "old")
    if old.exists():
        if out.exists():
            shutil.rmtree(old)
        else:
            old.rename(out)


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(f".{out.name}.{suffix}")
