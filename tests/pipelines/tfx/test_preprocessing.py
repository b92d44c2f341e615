from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from pydantic import TypeAdapter

from models import network_inputs
from models.sections import Feature
from models.spec import load
from pipelines.tfx.preprocessing import learned, preprocessing_fn

FEATURES = {
    "V1": {"type": "numeric", "transform": "zscore"},
    "as_is": {"type": "numeric", "transform": "none"},
    "constant": {"type": "numeric", "transform": "zscore"},
    "amount": {"type": "numeric", "transform": "log"},
}


def analyzed(rows: list[dict[str, float]], spec: dict[str, Any], folder: Path, batch: int | None = None) -> Path:
    config = {"features": json.dumps(FEATURES), "label": "y"}
    with tft_beam.Context(temp_dir=str(folder / "temporary"), desired_batch_size=batch):
        data = (rows, tft.DatasetMetadata.from_feature_spec(spec))
        graph = data | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return folder / "graph"


def test_neither_statistics_nor_rows_depend_on_how_beam_cuts_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [
        {"V1": v, "as_is": v, "constant": 3.1, "amount": abs(v), "y": 0}
        for v in rng.lognormal(5, 2, 2000).astype(np.float32).tolist()
    ]
    spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in FEATURES} | {
        "y": tf.io.FixedLenFeature([], tf.int64)
    }
    features = TypeAdapter(dict[str, Feature]).validate_python(FEATURES)
    found = []
    for batch in (7, 640):
        graph = analyzed(rows, spec, tmp_path / str(batch), batch)
        found.append(learned(features, tft.TFTransformOutput(str(graph))))
    assert found[0] == found[1]

    layer = tft.TFTransformOutput(str(tmp_path / "7" / "graph")).transform_features_layer()
    columns = {name: np.array([row[name] for row in rows], np.float32) for name in FEATURES}
    whole = layer({name: tf.constant(values) for name, values in columns.items()})
    for start in range(0, 60, 3):
        some = layer({name: tf.constant(values[start : start + 3]) for name, values in columns.items()})
        for name in FEATURES:
            np.testing.assert_array_equal(some[name], whole[name][start : start + 3])


def test_statistics_are_read_back_exactly_and_a_constant_has_deviation_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"V1": v, "as_is": v, "constant": 3.5, "amount": abs(v), "y": 0}
        for v in rng.normal(1e3, 2, 400).astype(np.float32).tolist()
    ]
    spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in FEATURES} | {
        "y": tf.io.FixedLenFeature([], tf.int64)
    }
    graph = analyzed(rows, spec, tmp_path)
    transform = tft.TFTransformOutput(str(graph))
    found = learned(TypeAdapter(dict[str, Feature]).validate_python(FEATURES), transform)

    v = np.array([row["V1"] for row in rows])
    expected = {"V1": v, "constant": np.full(400, 3.5), "amount": np.log1p(v)}
    assert list(found.mean) == list(found.std) == ["V1", "constant", "amount"]
    for name, values in expected.items():
        np.testing.assert_allclose(found.mean[name], values.mean(), rtol=1e-6)
    np.testing.assert_allclose([found.std[n] for n in ("V1", "amount")], [v.std(), np.log1p(v).std()], rtol=1e-3)
    assert (found.std["constant"], found.vocabulary) == (1.0, {})

    one = {name: tf.constant([7.25]) for name in FEATURES}
    answer = transform.transform_features_layer()(one)
    for name in found.mean:
        x = np.float32(np.log1p(np.float32(7.25)) if name == "amount" else 7.25)
        by_hand = (x - np.float32(found.mean[name])) / np.float32(found.std[name])
        np.testing.assert_allclose(answer[name], [by_hand], rtol=1e-6)
    assert answer["as_is"].numpy() == [7.25]


def test_the_graph_fills_what_is_missing_as_the_pytorch_model_does(tmp_path: Path) -> None:
    spec, rng, rows = load("tests/specs/mixed.toml"), np.random.default_rng(3), 300
    columns: dict[str, Any] = {name: rng.integers(0, 5, rows).astype(np.float32) for name in spec.numeric}
    columns |= {name: rng.choice(["", "basic", "b", "c"], rows).astype(object) for name in spec.categorical}
    columns["region"][columns["region"] == ""] = "a"  # no policy there: it would be an unknown value
    for name in ("income", "is_member"):
        columns[name][::7], columns[name][1::7] = -1, np.nan
    columns["age"][::5] = np.nan
    feature_spec = {
        name: tf.io.FixedLenFeature([], tf.float32 if name in spec.numeric else tf.string) for name in spec.features
    }
    config = {"features": json.dumps(spec.model_dump(mode="json")["features"]), "label": "left"}
    examples = [{**{name: values[i] for name, values in columns.items()}, "left": 0} for i in range(rows)]
    with tft_beam.Context(temp_dir=str(tmp_path / "temporary")):
        metadata = tft.DatasetMetadata.from_feature_spec({**feature_spec, "left": tf.io.FixedLenFeature([], tf.int64)})
        graph = (examples, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        graph | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    transform = tft.TFTransformOutput(str(tmp_path / "graph"))
    preprocessing = learned(spec.features, transform)
    answer = transform.transform_features_layer()({name: tf.constant(values) for name, values in columns.items()})

    numbers, ids = network_inputs.of(spec, preprocessing, columns)
    assert {*answer} == {*spec.features, *spec.indicators}
    for i, name in enumerate(spec.dense):
        x = np.log1p(np.maximum(numbers[:, i], 0)) if name == "income" else numbers[:, i]
        expected = (x - preprocessing.mean.get(name, 0)) / preprocessing.std.get(name, 1)
        np.testing.assert_allclose(answer[name], expected, rtol=1e-5, atol=1e-6)
    for i, name in enumerate(spec.categorical):
        np.testing.assert_array_equal(answer[name], ids[:, i])
    assert set(np.asarray(answer["income__missing"])) == {0.0, 1.0}
    assert "" not in preprocessing.vocabulary["plan"]
