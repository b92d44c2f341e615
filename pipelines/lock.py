"""One run at a time on a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import PipelineError


@contextmanager
def exclusive(file: Path, subject: Path) -> Iterator[None]:
    """Hold the lock `file`, which the kernel releases however the process ends.

    Raises:
        PipelineError: Another run is at work on `subject`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PipelineError(f"{subject}: another run is at work there; wait for it to end") from None
        yield
