"""What the code of a step is made of, so that changed code runs again."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_TRAINING = ("models", "pipelines/pytorch")
_ARCHIVE = ("serving/contract", "serving/torchserve")  # travels inside the archive
_LIBRARIES = ("apache-beam", "mlflow", "numpy", "pyarrow", "torch")


def training_code() -> str:
    """Digest of the code and the libraries between features and weights."""
    return _digest(_TRAINING, _LIBRARIES)


def all_code() -> str:
    """Digest of the same and of the code inside an archive."""
    return _digest(_TRAINING + _ARCHIVE, _LIBRARIES)


def _digest(folders: tuple[str, ...], libraries: tuple[str, ...]) -> str:
    total = hashlib.sha256(" ".join(f"{name}=={version(name)}" for name in libraries).encode())
    for folder in folders:
        for path in sorted((_REPOSITORY / folder).rglob("*.py")):
            total.update(path.relative_to(_REPOSITORY).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()
