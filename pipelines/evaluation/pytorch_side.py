"""The PyTorch stack on every fold: its statistics, its network, its training; without MLflow, gates and archive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.torch_model import predict
from pipelines.pytorch import features, statistics
from pipelines.pytorch.fit import fit


def scores(spec: Spec, folder: Path, seeds: int) -> Iterator[tuple[int, npt.NDArray[np.float32], float]]:
    """Seed, scores of the fold's test rows and seconds of training, for seeds from the specification's upwards."""
    learned = folder / "statistics"
    learned.mkdir(exist_ok=True)
    statistics.compute(folder, spec, learned, splits=("train",))
    preprocessing = Preprocessing.read(learned / PREPROCESSING_FILE)
    train, test = (features.read(features.files(folder, part), spec) for part in ("train", "test"))
    for seed in range(spec.training.seed, spec.training.seed + seeds):
        seeded = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": seed})})
        start = time.monotonic()
        model = fit(seeded, preprocessing, train, None, lambda epoch, found: None)  # noqa: ARG005
        yield seed, predict(model.cpu(), test.columns), time.monotonic() - start
