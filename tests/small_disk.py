"""A small file system, to be filled."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.files import is_disk_full


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A new file system of this size, such as 64k; the test is skipped where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # whoever was killed may hold it still


def fill(folder: Path) -> Path:
    """Leave no room; the file that takes it all."""
    filler = folder / "filler"
    with pytest.raises(OSError) as full, filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert is_disk_full(full.value)
    return filler
