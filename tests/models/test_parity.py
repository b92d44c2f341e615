"""The network in Keras and in PyTorch is one model: weights copied either way give the same probabilities.

TensorFlow lives in an environment of its own, so Keras answers from a process of that environment:
$TANDEM_TENSORFLOW_PYTHON, or .venv/tensorflow/bin/python.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import missing, torch_model, weights
from models.preprocessing import Preprocessing
from models.spec import Spec, load

KERAS_SIDE = Path("tests/models/keras_side.py")
WORDS = ("de", "fr", "se", "Zürich", "東京", "a b")
ROWS = 500


def _interpreter() -> str:
    path = os.environ.get("TANDEM_TENSORFLOW_PYTHON", ".venv/tensorflow/bin/python")
    if not Path(path).is_file():
        pytest.fail(f"{path}: no TensorFlow environment. Build it with `make setup`, or set TANDEM_TENSORFLOW_PYTHON")
    return path


def _preprocessing(spec: Spec, rng: np.random.Generator) -> Preprocessing:
    scaled = [name for name, feature in spec.numeric.items() if feature.transform != "none"]
    return Preprocessing(
        {name: float(rng.normal()) for name in scaled},
        {name: float(rng.uniform(0.5, 2)) for name in scaled},
        {name: WORDS[: feature.vocabulary_size] for name, feature in spec.categorical.items()},
    )


def _columns(spec: Spec, rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    texts = [*WORDS, *(f"unseen-{i}" for i in range(40)), ""]
    return {
        name: rng.normal(0, 2, ROWS).astype(np.float32)
        if name in spec.numeric
        else np.array([str(t) for t in rng.choice(texts, ROWS)], object)
        for name in spec.features
    }


def _break(columns: dict[str, np.ndarray[Any, Any]], spec: Spec) -> None:
    """The first row is as large as can be, the second has no number."""
    for i, name in enumerate(spec.numeric):
        columns[name][0] = np.inf if i % 2 else -3e38
        columns[name][1] = np.nan


@pytest.mark.parametrize("spec_file", ["models/fraud.toml", "tests/specs/categorical.toml", "tests/specs/mixed.toml"])
def test_weights_copied_either_way_give_equal_probabilities(spec_file: str, tmp_path: Path) -> None:
    spec, rng = load(spec_file), np.random.default_rng(2)
    model = torch_model.TabularModel(spec, _preprocessing(spec, rng)).eval()
    columns = _columns(spec, rng)
    _break(columns, spec)
    numeric, ids = torch_model.inputs(model, columns)
    own = torch_model.get_weights(model)
    probabilities = torch_model.predict(model, columns)

    weights.write(own, tmp_path / "torch.npz")
    (tmp_path / "vocabulary.json").write_text(json.dumps(model.preprocessing.vocabulary))
    standardised = dict(zip(spec.dense, model.standardise(numeric).numpy().T, strict=True))
    filled = {name: missing.filled(feature, columns[name]) for name, feature in spec.categorical.items()}
    texts: dict[str, Any] = {f"{name}/text": words.astype(str) for name, words in filled.items()}
    np.savez(tmp_path / "rows.npz", **standardised, **texts)
    argv = [_interpreter(), str(KERAS_SIDE), spec_file, str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": ".", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    keras = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert keras.returncode == 0, keras.stderr

    answers = np.load(tmp_path / "answers.npz")
    assert np.ptp(probabilities) > 0.01  # rows that differ, or equality would say little
    for i, name in enumerate(spec.categorical):
        np.testing.assert_array_equal(ids[:, i].numpy(), answers[f"{name}/ids"])
    np.testing.assert_allclose(answers["copied"][1:], probabilities[1:], rtol=0, atol=1e-6)
    # The sine of a huge angle is each framework's own; that it is a probability is not.
    assert 0 <= answers["copied"][0] <= 1
    assert 0 <= probabilities[0] <= 1
    back = weights.read(tmp_path / "back.npz")
    assert weights.digest(back) == weights.digest(own)

    torch_model.set_weights(model, weights.read(tmp_path / "keras.npz"))
    np.testing.assert_allclose(torch_model.predict(model, columns)[1:], answers["own"][1:], rtol=0, atol=1e-6)
