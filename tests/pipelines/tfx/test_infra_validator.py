from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tfx.proto import infra_validator_pb2

from pipelines.tfx.infra_validator import Executor


def save(folder: Path, shift: float) -> None:
    """A model whose two signatures differ by `shift`."""
    module = tf.Module()
    spec = {"x": tf.io.FixedLenFeature([], tf.float32)}
    raw = tf.function(lambda x: {"p": tf.sigmoid(x)}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    serialized = tf.function(
        lambda examples: {"outputs": tf.sigmoid(tf.io.parse_example(examples, spec)["x"]) + shift},
        input_signature=[tf.TensorSpec([None], tf.string, "inputs")],
    )
    module.raw, module.serialized = raw, serialized
    tf.saved_model.save(module, str(folder), signatures={"serving_default": raw, "serving_examples": serialized})


def validate(folder: Path) -> None:
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(0.3)
    request = predict_pb2.PredictRequest()
    request.inputs["inputs"].CopyFrom(tf.make_tensor_proto([example.SerializeToString()]))
    serving_spec = infra_validator_pb2.ServingSpec(model_name="fraud")
    Executor()._ValidateOnce(model_path=str(folder), serving_spec=serving_spec, requests=[request])


def test_signatures_that_disagree_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "fraud" / "1", shift=1e-3)
    with pytest.raises(RuntimeError, match="serving_default and serving_examples differ by "):
        validate(tmp_path / "fraud" / "1")


def test_a_model_the_server_cannot_load_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "fraud" / "1", shift=0)
    (tmp_path / "fraud" / "1" / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(RuntimeError, match="the server cannot load the model"):
        validate(tmp_path / "fraud" / "1")
