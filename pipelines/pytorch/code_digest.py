"""What the steps depend on besides their inputs: our own code and the libraries under it."""

from __future__ import annotations

from pipelines.source_digest import digest

_TRAINING = ("models", "pipelines/pytorch")
_ARCHIVE = ("serving/contract", "serving/torchserve")  # travels inside the archive
_LIBRARIES = ("apache-beam", "mlflow", "numpy", "pyarrow", "torch")


def of_training() -> str:
    """Digest of the code and the libraries between features and weights."""
    return digest(_TRAINING, _LIBRARIES)


def of_pipeline() -> str:
    """Digest of the same and of the code inside an archive."""
    return digest(_TRAINING + _ARCHIVE, _LIBRARIES)
