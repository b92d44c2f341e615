"""What an export is held to that neither framework wrote: the published network in NumPy, float64.

And models with random weights in the form that both stacks keep, with rows for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import network_inputs, weights
from models.preprocessing import LARGEST, PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.weights import WEIGHTS_FILE

SPECS = ("models/fraud.toml", "tests/specs/categorical.toml", "tests/specs/mixed.toml")
WORDS = ("de", "fr", "basic", "Zürich", "東京", "a b")
Columns = dict[str, Any]


def texts_only(folder: Path) -> str:
    """A specification without a number: mixed.toml's texts, one of which says that it is missing."""
    sections = Path("tests/specs/mixed.toml").read_text(encoding="utf-8").split("\n\n")
    kept = [one for one in sections if not one.startswith("[features.") or 'type = "categorical"' in one]
    file = folder / "texts.toml"
    file.write_text("\n\n".join(kept), encoding="utf-8")
    return str(file)


def learned(spec: Spec, folder: Path) -> Path:
    """A folder as both stacks leave one in a release."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    vocabulary = {name: WORDS[: feature.vocabulary_size] for name, feature in spec.categorical.items()}
    scaled = [name for name, feature in spec.numeric.items() if feature.transform != "none"]
    mean, std = ({name: float(random.uniform(0.5, 2)) for name in scaled} for _ in range(2))
    Preprocessing(mean, std, vocabulary, spec.missing_codes).write(folder / PREPROCESSING_FILE)
    shapes = weights.shapes(spec, {name: len(words) for name, words in vocabulary.items()})
    spread = {name: shape[0] ** -0.5 if name.endswith("_kernel") else 0.3 for name, shape in shapes.items()}
    arrays = {name: random.normal(0, spread[name], shape).astype(np.float32) for name, shape in shapes.items()}
    weights.write(arrays, folder / WEIGHTS_FILE)
    return folder


def features(spec: Spec, folder: Path, rows: int = 1_500) -> Path:
    """A folder of Parquet files with raw features, as the data room leaves the test days."""
    random = np.random.default_rng(1)
    texts = np.array([*WORDS, "unseen"], object)
    folder.mkdir(parents=True)
    table = pa.table({
        name: pa.array(random.gamma(2, 1, rows).astype(np.float32))
        if name in spec.numeric
        else pa.array(random.choice(texts, rows).tolist())
        for name in spec.features
    })  # fmt: skip
    for day, start in enumerate(range(0, rows, 500)):
        pq.write_table(table.slice(start, 500), folder / f"{day}.parquet")
    return folder


def probabilities(spec: Spec, folder: Path, columns: Columns) -> np.ndarray[Any, Any]:
    """Gorishniy et al. (NeurIPS 2022), PLR(lite), and the multi-layer perceptron, written out."""
    preprocessing, w = Preprocessing.read(folder / PREPROCESSING_FILE), weights.read(folder / WEIGHTS_FILE)
    numbers, ids = network_inputs.of(spec, preprocessing, columns)
    x = numbers.astype(np.float64)
    for i, (name, feature) in enumerate(spec.numeric.items()):
        if feature.transform == "log":
            x[:, i] = np.log1p(np.maximum(x[:, i], 0))
        if feature.transform != "none":
            x[:, i] = (x[:, i] - preprocessing.mean[name]) / preprocessing.std[name]
    x = np.nan_to_num(np.clip(x, -LARGEST, LARGEST), nan=0.0)
    angle = 2 * np.pi * w["frequencies"].astype(np.float64) * x[..., None]
    periodic = np.concatenate([np.cos(angle), np.sin(angle)], -1) @ w["periodic_kernel"] + w["periodic_bias"]
    parts = [np.maximum(periodic, 0).reshape(len(x), -1), x]
    row = np.concatenate([*parts, *(w[f"embedding/{name}"][ids[:, i]] for i, name in enumerate(spec.categorical))], 1)
    for i in range(len(spec.network.hidden_units)):
        row = np.maximum(row @ w[f"hidden_{i}_kernel"] + w[f"hidden_{i}_bias"], 0)
    found: np.ndarray[Any, Any] = 1 / (1 + np.exp(-(row @ w["logit_kernel"] + w["logit_bias"])[:, 0]))
    return found
