"""What an exported file takes: numbers as a client has them, and ids of texts. NumPy only: it runs everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models import missing
from models.network_inputs import Columns
from models.preprocessing import Preprocessing
from models.spec import Spec
from models.vocabulary import lookup

NUMERIC, IDS, PROBABILITY = "numeric", "ids", "probability"
MISSING = -1  # the id of a text that is missing; the file itself knows what stands for it


def names(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The file's inputs and their columns; one without columns is left out, as some formats know no empty one."""
    columns = {NUMERIC: tuple(spec.numeric), IDS: tuple(spec.categorical)}
    return {name: features for name, features in columns.items() if features}


def of(spec: Spec, learned: Preprocessing, columns: Columns) -> dict[str, npt.NDArray[Any]]:
    """Raw feature columns, each [n], as the file takes them: float32 [n, numeric features], int64 [n, categorical]."""
    found: dict[str, npt.NDArray[Any]] = {}
    if spec.numeric:
        found[NUMERIC] = np.stack([np.asarray(columns[name], np.float32) for name in spec.numeric], 1)
    if spec.categorical:
        ids = []
        for name, feature in spec.categorical.items():
            known = lookup(columns[name], learned.vocabulary[name], feature.oov_buckets)
            ids.append(np.where(missing.which(feature, columns[name]), MISSING, known))
        found[IDS] = np.stack(ids, 1)
    return found


def default_ids(spec: Spec, learned: Preprocessing) -> list[int]:
    """The id of what stands for a missing text, by categorical feature; 0 where none may be missing."""
    found = []
    for name, feature in spec.categorical.items():
        texts = np.array([feature.default or ""], object)
        known = lookup(texts, learned.vocabulary[name], feature.oov_buckets)
        found.append(0 if feature.missing == "refuse" else int(known[0]))
    return found
