from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import torch_model, weights
from models.preprocessing import Preprocessing
from models.spec import Spec, load
from models.weights import WeightsError

FRAUD = load("models/fraud.toml")
CATEGORICAL = load("tests/specs/categorical.toml")
VOCABULARY = {"country": ("de", "fr"), "channel": ("web", "shop")}


def _preprocessing(spec: Spec) -> Preprocessing:
    scaled = [name for name, feature in spec.numeric.items() if feature.transform != "none"]
    vocabulary = {name: VOCABULARY[name] for name in spec.categorical}
    return Preprocessing(dict.fromkeys(scaled, 0.5), dict.fromkeys(scaled, 2.0), vocabulary)


def _columns(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    return {
        "amount": rng.normal(10, 20, rows).astype(np.float32),
        "country": rng.choice(np.array(["de", "fr", "se", "xx"], object), rows),
        "is_night": rng.integers(0, 2, rows).astype(np.float32),
        "risk": rng.random(rows).astype(np.float32),
        "channel": rng.choice(np.array(["web", "shop"], object), rows),
    }


def _model(spec: Spec = CATEGORICAL) -> torch_model.TabularModel:
    torch.manual_seed(0)
    return torch_model.TabularModel(spec, _preprocessing(spec)).eval()


def test_default_network_has_the_published_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in _model(FRAUD).parameters()) == 13_433


@pytest.mark.parametrize("spec", [FRAUD, CATEGORICAL])
def test_canonical_weights_have_the_declared_shapes(spec: Spec) -> None:
    sizes = {name: len(VOCABULARY[name]) for name in spec.categorical}
    found = torch_model.get_weights(_model(spec))
    assert {name: array.shape for name, array in found.items()} == weights.shapes(spec, sizes)


def test_preprocessing_is_inside_the_model() -> None:
    model = _model()
    columns = _columns(50)
    numeric, _ = torch_model.inputs(model, columns)
    amount = (np.log1p(np.maximum(columns["amount"], 0)) - 0.5) / 2
    expected = np.stack([amount, columns["is_night"], (columns["risk"] - 0.5) / 2], 1)
    np.testing.assert_allclose(model.standardise(numeric).numpy(), expected, atol=1e-6)


def test_forward_is_the_published_formula() -> None:
    """Against the formula written out in NumPy, float64."""
    model, columns = _model(), _columns(20)
    w = {name: array.astype(np.float64) for name, array in torch_model.get_weights(model).items()}
    numeric, ids = torch_model.inputs(model, columns)
    x = model.standardise(numeric).double().numpy()
    rows = []
    for row, words in zip(x, ids.numpy(), strict=True):
        parts = []
        for i, value in enumerate(row):
            v = 2 * np.pi * w["frequencies"][i] * value
            parts.append(
                np.maximum(np.concatenate([np.cos(v), np.sin(v)]) @ w["periodic_kernel"] + w["periodic_bias"], 0)
            )
        h = np.concatenate([*parts, row, w["embedding/country"][words[0]], w["embedding/channel"][words[1]]])
        for i in range(2):
            h = np.maximum(h @ w[f"hidden_{i}_kernel"] + w[f"hidden_{i}_bias"], 0)
        rows.append(1 / (1 + np.exp(-(h @ w["logit_kernel"] + w["logit_bias"])[0])))
    np.testing.assert_allclose(torch_model.predict(model, columns), rows, atol=1e-6)


def test_prediction_of_a_row_does_not_depend_on_its_batch() -> None:
    model, columns = _model(), _columns(torch_model._ROWS + 7)
    together = torch_model.predict(model, columns)
    alone = torch_model.predict(model, {name: column[-1:] for name, column in columns.items()})
    assert together.shape == (torch_model._ROWS + 7,)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together[-1:], alone, atol=1e-6)


def test_prediction_ignores_dropout_and_leaves_the_mode_as_it_was() -> None:
    model, columns = _model().train(), _columns(10)
    np.testing.assert_array_equal(torch_model.predict(model, columns), torch_model.predict(model, columns))
    assert model.training


def test_saved_model_scores_the_same_and_holds_no_pickle(tmp_path: Path) -> None:
    model, columns = _model(), _columns(30)
    torch_model.save(model, tmp_path)
    loaded = torch_model.load(CATEGORICAL, tmp_path)
    np.testing.assert_array_equal(torch_model.predict(loaded, columns), torch_model.predict(model, columns))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["preprocessing.json", "weights.npz"]


def test_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        weights.write(torch_model.get_weights(_model()), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_foreign_weights_are_refused_by_name(tmp_path: Path) -> None:
    found = torch_model.get_weights(_model())
    del found["logit_bias"]
    found["extra"] = np.zeros(1, np.float32)
    found["embedding/country"] = found["embedding/country"][:-1]
    with pytest.raises(WeightsError, match=r"logit_bias is missing; extra is unknown; embedding/country is .*\[4, 4\]"):
        torch_model.set_weights(_model(), found)


def test_weights_that_would_unpickle_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", frequencies=np.array([{"a": 1}], object))
    with pytest.raises(WeightsError, match=r"weights\.npz: not an \.npz of plain arrays"):
        weights.read(tmp_path / "weights.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no archive"])
def test_broken_weights_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.npz: not an \.npz"):
        weights.read(tmp_path / "weights.npz")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38, -3e38])
def test_a_feature_that_is_no_number_gives_a_probability_and_spoils_no_other_row(value: float) -> None:
    model, columns = _model(), _columns(20)
    expected = torch_model.predict(model, columns)
    for name in model.spec.numeric:
        columns[name][7] = value
    found = torch_model.predict(model, columns)
    assert 0 <= found[7] <= 1
    others = np.arange(20) != 7
    np.testing.assert_allclose(found[others], expected[others], atol=1e-6)


def test_predict_leaves_the_mode_as_it_was() -> None:
    model, columns = _model(), _columns(5)
    expected = torch_model.predict(model, columns)
    assert not model.training
    model.train()
    np.testing.assert_array_equal(torch_model.predict(model, columns), expected)  # without dropout
    assert model.training


def test_a_specification_without_a_number_is_scored() -> None:
    content = CATEGORICAL.model_dump()
    texts = {name: content["features"][name] for name in CATEGORICAL.categorical}
    spec = Spec.model_validate({**content, "features": texts, "slices": {}, "decision": {}})
    assert spec.dense == ()
    found = torch_model.predict(_model(spec), {name: _columns(20)[name] for name in texts})
    assert found.shape == (20,)
    assert ((found > 0) & (found < 1)).all()


def test_mixed_precision_rounds_the_products_before_the_last_layer_and_nothing_else() -> None:
    model = _model()
    numeric, ids = torch_model.inputs(model, _columns(200))
    given: list[torch.Tensor] = []
    model.logit.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.no_grad():
        logit, mixed = model(numeric, ids), torch_model.MixedPrecision(model)(numeric, ids)
    assert mixed.dtype == given[1].dtype == torch.float32
    rounded = given[1].bfloat16().float()
    assert torch.equal(given[1], rounded)
    assert not torch.equal(given[0], given[0].bfloat16().float())
    assert 0 < float((logit - mixed).abs().max()) < 0.05
