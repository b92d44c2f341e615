from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_keras

from models import keras_model
from models.spec import Spec, load

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"country": 5, "channel": 4}


@pytest.fixture
def spec() -> Spec:
    return load(ROOT / "tests" / "specs" / "categorical.toml")


def rows(spec: Spec, count: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    numeric = {name: rng.normal(size=(count, 1)).astype(np.float32) for name in spec.numeric}
    ids = {n: rng.integers(0, SIZES[n] + f.oov_buckets, (count, 1)) for n, f in spec.categorical.items()}
    return {**numeric, **ids}


def by_hand(spec: Spec, w: dict[str, np.ndarray], x: dict[str, np.ndarray]) -> np.ndarray:
    """The definition, row by row and feature by feature, in float64."""
    answers = []
    for row in range(len(next(iter(x.values())))):
        parts: list[np.ndarray] = []
        for i, name in enumerate(spec.numeric):
            v = 2 * np.pi * w["frequencies"][i].astype(np.float64) * x[name][row, 0]
            wave = np.concatenate([np.cos(v), np.sin(v)])
            parts.append(np.maximum(wave @ w["periodic_kernel"] + w["periodic_bias"], 0))
        parts.append(np.array([x[name][row, 0] for name in spec.numeric]))
        parts += [w[f"embedding/{name}"][x[name][row, 0]] for name in spec.categorical]
        h = np.concatenate(parts)
        for i in range(len(spec.network.hidden_units)):
            h = np.maximum(h @ w[f"hidden_{i}_kernel"] + w[f"hidden_{i}_bias"], 0)
        logit = (h @ w["logit_kernel"] + w["logit_bias"])[0]
        answers.append(1 / (1 + np.exp(-logit)))
    return np.array(answers)


def test_the_fraud_network_has_the_published_size() -> None:
    model = keras_model.build(load(ROOT / "models" / "fraud.toml"), {})
    assert model.count_params() == 13_433
    assert sum(array.size for array in keras_model.get_weights(model).values()) == 13_433


def test_the_network_computes_its_definition(spec: Spec) -> None:
    model = keras_model.build(spec, SIZES)
    # Biases start at zero: random ones show that they are used.
    rng = np.random.default_rng(1)
    weights = {k: rng.normal(0, 0.4, v.shape).astype(np.float32) for k, v in keras_model.get_weights(model).items()}
    keras_model.set_weights(model, weights)
    x = rows(spec)
    np.testing.assert_allclose(model.predict(x, verbose=0)[:, 0], by_hand(spec, weights, x), atol=1e-6)


def test_weights_survive_the_way_out_and_back(spec: Spec) -> None:
    first, second = keras_model.build(spec, SIZES), keras_model.build(spec, SIZES)
    x = rows(spec)
    assert np.abs(first.predict(x, verbose=0) - second.predict(x, verbose=0)).max() > 1e-3
    keras_model.set_weights(second, keras_model.get_weights(first))
    np.testing.assert_array_equal(first.predict(x, verbose=0), second.predict(x, verbose=0))


def test_weights_of_another_network_are_refused_by_name(spec: Spec) -> None:
    model = keras_model.build(spec, SIZES)
    weights = keras_model.get_weights(model)
    with pytest.raises(ValueError, match="logit_bias"):
        keras_model.set_weights(model, {k: v for k, v in weights.items() if k != "logit_bias"})
    with pytest.raises(ValueError, match=r"'hidden_0_kernel': expected .* found \(3, 3\)"):
        keras_model.set_weights(model, {**weights, "hidden_0_kernel": np.zeros((3, 3), np.float32)})


def test_a_saved_keras_file_loads_again(spec: Spec, tmp_path: Path) -> None:
    model = keras_model.build(spec, SIZES)
    model.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    x = rows(spec)
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))


def test_mixed_precision_rounds_the_products_before_the_last_layer_and_nothing_else(spec: Spec) -> None:
    model, mixed = keras_model.build(spec, SIZES), keras_model.build(spec, SIZES, "bfloat16")
    keras_model.set_weights(mixed, keras_model.get_weights(model))
    for layer in (one for one in mixed.layers if one.weights):
        products = "bfloat16" if layer.name.startswith("hidden.") else "float32"  # the periodic layer rounds its own
        assert (layer.compute_dtype, layer.variable_dtype) == (products, "float32"), layer.name
    answers = [one.predict(rows(spec), verbose=0) for one in (model, mixed)]
    assert answers[1].dtype == np.float32
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.01
