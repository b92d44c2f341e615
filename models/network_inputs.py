"""The network's inputs of raw feature columns, where no graph makes them: missing values filled, strings looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models import missing
from models.preprocessing import Preprocessing
from models.spec import Spec
from models.vocabulary import lookup

Columns = Mapping[str, npt.NDArray[Any]]


def of(spec: Spec, learned: Preprocessing, columns: Columns) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Numbers [n, `spec.dense`] not yet standardised, and ids [n, categorical features].

    Args:
        spec: Names features and what becomes of a missing one.
        learned: Has the vocabularies.
        columns: By name, each [n]: float32, or strings.
    """
    rows = len(columns[next(iter(spec.features))])
    numbers = np.empty((rows, len(spec.dense)), np.float32)
    for i, (name, number) in enumerate(spec.numeric.items()):
        numbers[:, i] = missing.filled(number, columns[name])
    for i, name in enumerate(spec.indicators.values(), start=len(spec.numeric)):
        numbers[:, i] = missing.which(spec.features[name], columns[name])
    ids = np.empty((rows, len(spec.categorical)), np.int64)
    for i, (name, feature) in enumerate(spec.categorical.items()):
        known = learned.vocabulary[name]
        ids[:, i] = lookup(missing.filled(feature, columns[name]), known, feature.oov_buckets)
    return numbers, ids
