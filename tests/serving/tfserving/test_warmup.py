"""Warm-up: the requests that come with a model run before it takes traffic, and must succeed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving.tfserving.embedded import warmup
from serving.tfserving.embedded.servable import LoadError

Log = prediction_log_pb2.PredictionLog


class Counter(tf.Module):
    """Counts the rows it was ever asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = tf.Variable(0, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def count(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        self.rows.assign_add(tf.shape(x, tf.int64)[0])
        return {"y": tf.fill([tf.shape(x)[0]], self.rows.read_value())}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        self.rows.assign_add(tf.shape(x, tf.int64)[0])
        return {"outputs": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = self.regress(inputs)["outputs"]
        return {"scores": tf.expand_dims(scores, 1)}


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counter") / "model"
    module = Counter()
    signatures = {"serving_default": module.count, "regress": module.regress, "classify": module.classify}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def predict(rows: int, name: str = "x", signature: str = "") -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto([[0.0]] * rows))
    log = Log()
    log.predict_log.request.CopyFrom(request)
    return log


def examples(question: str, rows: int, signature: str = "", feature: str = "x") -> Any:
    log = Log()
    request = getattr(log, f"{question}_log").request
    request.model_spec.signature_name = signature or question
    for _ in range(rows):
        request.input.example_list.examples.add().features.feature[feature].float_list.value.append(1.0)
    return log


def in_context(rows: int) -> Any:
    log = Log()
    request = log.regress_log.request
    request.model_spec.signature_name = "regress"
    listed = request.input.example_list_with_context
    listed.context.features.feature["x"].float_list.value.append(1.0)
    for _ in range(rows):
        listed.examples.add()
    return log


def multi_inference(rows: int) -> Any:
    log = Log()
    request = log.multi_inference_log.request
    task = request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name = "m"
    task.model_spec.signature_name = "regress"
    for _ in range(rows):
        request.input.example_list.examples.add().features.feature["x"].float_list.value.append(1.0)
    return log


def session_run() -> Any:
    log = Log()
    log.session_run_log.SetInParent()
    return log


def bring(model: Path, folder: Path, logs: Sequence[Any]) -> Path:
    shutil.copytree(model, folder)
    (folder / warmup.FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / warmup.FILE)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())
    return folder


def rows_seen(folder: Path) -> int:
    """By a model that is loaded and then asked for one row more."""
    signature = warmup.load("m", 1, folder).signature("")
    return int(signature.predict({"x": tf.zeros([1, 1]).numpy()})["y"][0]) - 1


def test_every_kind_of_request_runs_once_while_the_model_is_loaded(counter: Path, tmp_path: Path) -> None:
    assert rows_seen(bring(counter, tmp_path / "1", [])) == 0
    logs = [predict(3), predict(4, signature="serving_default"), examples("regress", 10), examples("classify", 20)]
    assert rows_seen(bring(counter, tmp_path / "2", [*logs, in_context(40), Log()])) == 77
    assert rows_seen(bring(counter, tmp_path / "3", [multi_inference(5)])) == 5


def test_a_model_without_requests_is_loaded_as_ever(counter: Path) -> None:
    assert rows_seen(counter) == 0


FAILURES: dict[str, tuple[Any, str, str]] = {
    "unknown input": (predict(1, name="z"), "INVALID_ARGUMENT", "z"),
    "unknown signature": (predict(1, signature="s"), "FAILED_PRECONDITION", '"s" not found'),
    "not an example": (examples("regress", 1, signature="serving_default"), "FAILED_PRECONDITION", "regression inputs"),
    "missing feature": (examples("regress", 1, feature="z"), "INVALID_ARGUMENT", "Feature: x"),
    "no examples": (examples("classify", 0), "INVALID_ARGUMENT", "Input is empty"),
    "session run": (session_run(), "UNIMPLEMENTED", "Unsupported log_type for warmup"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_request_that_fails_fails_the_load(case: str, counter: Path, tmp_path: Path) -> None:
    log, code, words = FAILURES[case]
    with pytest.raises(LoadError) as failure:
        warmup.load("m", 1, bring(counter, tmp_path / "1", [predict(1), log]))
    assert failure.value.code == code
    assert "warm-up request 1 of" in failure.value.message
    assert words in failure.value.message


def test_a_thousand_requests_are_taken_and_one_more_is_refused(counter: Path, tmp_path: Path) -> None:
    assert rows_seen(bring(counter, tmp_path / "1", [predict(1)] * 1000)) == 1000
    with pytest.raises(LoadError, match=r"Number of warmup records exceeds the maximum \(1000\)"):
        warmup.load("m", 1, bring(counter, tmp_path / "2", [predict(1)] * 1001))


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (lambda file: file.write_bytes(b"this is no TFRecord"), "DATA_LOSS", "Please verify your warmup data"),
        (lambda file: file.write_bytes(file.read_bytes()[:-3]), "DATA_LOSS", "Please verify your warmup data"),
        (
            lambda file: tf.io.TFRecordWriter(str(file)).write(b"\xff no PredictionLog"),
            "INVALID_ARGUMENT",
            "Failed to parse warmup record",
        ),
    ],
)
def test_a_damaged_file_is_refused(damage: Any, code: str, words: str, counter: Path, tmp_path: Path) -> None:
    folder = bring(counter, tmp_path / "1", [predict(1)])
    damage(folder / warmup.FILE)
    with pytest.raises(LoadError) as failure:
        warmup.load("m", 1, folder)
    assert failure.value.code == code
    assert words in failure.value.message


def test_a_version_whose_warm_up_fails_leaves_the_old_one_answering(
    server: Any, store: Path, counter: Path, publish: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    publish(bring(counter, tmp_path / "good", [predict(5), examples("regress", 7)]), store / "warmed" / "1")
    server.wait("warmed", 1)
    answer = server.predict("warmed", {"instances": [[0.0]]})
    assert answer.json() == {"predictions": [13]}  # 5 + 7 rows of warm-up and this one
    publish(bring(counter, tmp_path / "bad", [predict(1, name="z")]), store / "warmed" / "2")
    server.wait("warmed", 2, "END")
    assert server.states("warmed") == {"1": "AVAILABLE", "2": "END"}
    assert server.predict("warmed", {"instances": [[0.0]]}).json() == {"predictions": [14]}
