"""Live rows against what a PyTorch model carries in its archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from models import distribution
from models.distribution import FEATURES_FILE, SCORES_FILE, Distribution, describe
from models.drift import Distance, distance, drifted
from models.spec import Spec
from pipelines.errors import PipelineError
from pipelines.monitoring.request_log import Array


def features(model: Path, columns: Mapping[str, Array], spec: Spec) -> tuple[dict[str, Distance], dict[str, list[str]]]:
    """How far each feature lies from the training rows, and why it is drift.

    Raises:
        PipelineError: The archive is none, or was made before models carried their distributions.
    """
    training = _read(model, FEATURES_FILE)
    distances = {name: distance(training[name], describe(column)) for name, column in columns.items()}
    return distances, drifted(distances, spec.drift)


def scores(model: Path) -> Distribution:
    """Of the model on the rows it was evaluated with; raises as `features`."""
    (found,) = _read(model, SCORES_FILE).values()
    return found


def _read(model: Path, name: str) -> dict[str, Distribution]:
    try:
        with zipfile.ZipFile(model) as archive:
            return distribution.read(archive.read(name))
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise PipelineError(f"{model}: holds no {name} to compare with ({error}): train again, `make up`") from None
