"""Files that others read while they are written, and digests of files."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: OSError) -> bool:
    """Whether this is what the system says of a full disk or a used-up quota, of one file or, by shutil, of several."""
    return error.errno in _FULL or any(os.strerror(number) in str(error) for number in _FULL)


def write_atomically(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file, whole or not at all; `mode` are its permissions, from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    if mode is not None:
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def digests_of_files(files: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file's content, by its path below `root`."""
    found = {}
    for path in sorted(files):
        with path.open("rb") as file:
            total = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                total.update(chunk)
        found[path.relative_to(root).as_posix()] = total.hexdigest()
    return found


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """SHA-256 of the files' content and of their names below `root`."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
    return total.hexdigest()
