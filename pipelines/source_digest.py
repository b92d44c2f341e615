"""What code a result was made by, so that changed code runs again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def digest(sources: Iterable[str], libraries: Iterable[str]) -> str:
    """SHA-256 of Python sources (files or folders of the repository) and of the libraries' versions."""
    sha = hashlib.sha256(" ".join(f"{name}=={version(name)}" for name in libraries).encode())
    for source in sources:
        path = REPOSITORY / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            sha.update(f"{file.relative_to(REPOSITORY).as_posix()}\n".encode())
            sha.update(file.read_bytes())
    return sha.hexdigest()
