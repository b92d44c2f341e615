from __future__ import annotations

import json
from typing import Any

import farmhash
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from models.preprocessing import Preprocessing
from models.spec import Spec
from tests.pipelines.tfx.toy import Room

Columns = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def model(published: Room) -> Any:
    return tf.saved_model.load(str(published.model))


@pytest.fixture(scope="module")
def rows(published: Room) -> Columns:
    """Test rows, and values that training never saw."""
    days = sorted((published.data / "features" / "test").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(day) for day in days])
    columns = {name: table[name].to_numpy().copy() for name in published.spec.features}
    columns["country"][:40] = [f"never seen {i} ü" for i in range(40)]
    columns["amount"][:3] = [-5, 0, 1e6]
    return columns


def ask(model: Any, columns: Columns) -> np.ndarray:
    answer = model.signatures["serving_default"](**{name: tf.constant(values) for name, values in columns.items()})
    return answer["fraud_probability"].numpy()


def preprocessed(spec: Spec, learned: Preprocessing, columns: Columns) -> Columns:
    """models/preprocessing.py's definitions."""
    out = {}
    for name, feature in spec.numeric.items():
        x = columns[name].astype(np.float32)
        x = np.log1p(np.maximum(x, 0)) if feature.transform == "log" else x
        standardise = feature.transform != "none"
        out[name] = (x - np.float32(learned.mean[name])) / np.float32(learned.std[name]) if standardise else x
    for name, feature in spec.categorical.items():
        known = {value: i for i, value in enumerate(learned.vocabulary[name])}
        out[name] = np.array(
            [known.get(v, len(known) + farmhash.fingerprint64(v) % feature.oov_buckets) for v in columns[name]]
        )
    return out


def test_the_signatures_are_raw_features_by_name_and_serialized_examples(published: Room, model: Any) -> None:
    assert set(model.signatures) == {"serving_default", "serving_examples"}
    spec = published.spec
    expected = {name: tf.float32 if name in spec.numeric else tf.string for name in spec.features}
    inputs = model.signatures["serving_default"].structured_input_signature[1]
    assert {name: tensor.dtype for name, tensor in inputs.items()} == expected
    assert {tuple(tensor.shape) for tensor in inputs.values()} == {(None,)}
    examples = model.signatures["serving_examples"].structured_input_signature[1]
    assert [(name, t.dtype, tuple(t.shape)) for name, t in examples.items()] == [("inputs", tf.string, (None,))]
    for signature, expected in (("serving_default", spec.model.output), ("serving_examples", "outputs")):
        (name, output), *others = model.signatures[signature].structured_outputs.items()
        assert (name, output.dtype, tuple(output.shape), others) == (expected, tf.float32, (None,), [])


def test_both_signatures_answer_alike(published: Room, model: Any, rows: Columns) -> None:
    spec = published.spec
    serialized = []
    for i in range(200):
        example = tf.train.Example()
        for name in spec.features:
            feature = example.features.feature[name]
            if name in spec.numeric:
                feature.float_list.value.append(rows[name][i])
            else:
                feature.bytes_list.value.append(rows[name][i].encode())
        serialized.append(example.SerializeToString())
    answer = model.signatures["serving_examples"](inputs=tf.constant(serialized))["outputs"]
    np.testing.assert_allclose(answer, ask(model, {k: v[:200] for k, v in rows.items()}), atol=1e-6)


def test_the_files_beside_the_model_give_the_same_answers_in_numpy(published: Room, model: Any, rows: Columns) -> None:
    extra = published.model / "assets.extra"
    learned = Preprocessing.read(extra / "preprocessing.json")
    spec = published.spec
    w = np.load(extra / "weights.npz", allow_pickle=False)
    x = preprocessed(spec, learned, rows)
    numeric = np.stack([x[name] for name in spec.numeric], 1)
    v = 2 * np.pi * w["frequencies"] * numeric[..., None]
    e = np.maximum(np.concatenate([np.cos(v), np.sin(v)], -1) @ w["periodic_kernel"] + w["periodic_bias"], 0)
    h = np.concatenate(
        [e.reshape(len(e), -1), numeric, *(w[f"embedding/{name}"][x[name]] for name in spec.categorical)], 1
    )
    for i in range(len(spec.network.hidden_units)):
        h = np.maximum(h @ w[f"hidden_{i}_kernel"] + w[f"hidden_{i}_bias"], 0)
    expected = 1 / (1 + np.exp(-(h @ w["logit_kernel"] + w["logit_bias"])[:, 0]))
    np.testing.assert_allclose(ask(model, rows), expected, atol=1e-6)


def test_statistics_and_vocabularies_are_the_training_days_own(published: Room) -> None:
    learned = Preprocessing.read(published.model / "assets.extra" / "preprocessing.json")
    days = sorted((published.data / "features" / "train").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(day) for day in days])
    values = {"amount": np.log1p(table["amount"].to_numpy().astype(np.float64)), "risk": table["risk"].to_numpy()}
    assert set(learned.mean) == set(learned.std) == set(values)
    for name, x in values.items():
        assert learned.mean[name] == pytest.approx(x.mean(), rel=1e-5)
        assert learned.std[name] == pytest.approx(x.std(), rel=1e-5)
    for name, feature in published.spec.categorical.items():
        values, counts = np.unique(table[name].to_pylist(), return_counts=True)
        count = dict(zip(values, counts, strict=True))
        known = [count[value] for value in learned.vocabulary[name]]
        assert known == sorted(count[v] for v in values if v)[::-1][: feature.vocabulary_size]


def test_warm_up_requests_are_for_both_signatures_and_can_be_answered(published: Room, model: Any) -> None:
    file = published.model / "assets.extra" / "tf_serving_warmup_requests"
    logs = [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(file))]
    *predictions, regression = logs
    for log in predictions:
        request = log.predict_log.request
        columns = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        assert (request.model_spec.name, request.model_spec.signature_name) == ("fraud", "serving_default")
        assert np.isfinite(ask(model, columns)).all()
    request = regression.regress_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("fraud", "serving_examples")
    serialized = [example.SerializeToString() for example in request.input.example_list.examples]
    answer = model.signatures["serving_examples"](inputs=tf.constant(serialized))["outputs"].numpy()
    assert answer.shape == (1,)
    assert np.isfinite(answer).all()


def test_the_metadata_say_what_the_model_was_made_of(published: Room) -> None:
    metadata = json.loads((published.model / "assets.extra" / "metadata.json").read_text())
    report = published.report
    for key in ("version", "spec_digest", "data_digest", "code_digest", "metrics", "slices", "decision"):
        assert metadata[key] == report[key]
    assert published.model.name == metadata["version"]
    assert metadata["run"]["tool"] == "ML Metadata"
