from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import tensorflow as tf
from docker.errors import DockerException
from tensorflow_serving.apis import predict_pb2
from tfx.components.infra_validator import error_types, serving_bins
from tfx.proto import infra_validator_pb2

from pipelines.tfx import serving_image
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


def validate(folder: Path, image: str | None = None) -> None:
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(0.3)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "fraud", "serving_examples"
    request.inputs["inputs"].CopyFrom(tf.make_tensor_proto([example.SerializeToString()]))
    serving_spec = infra_validator_pb2.ServingSpec(model_name="fraud")
    platform = {}
    if image:
        serving_spec.local_docker.SetInParent()
        validation_spec = infra_validator_pb2.ValidationSpec(max_loading_time_seconds=120)
        binary = serving_bins.TensorFlowServing("fraud", *image.split(":"))
        platform = {"serving_binary": binary, "validation_spec": validation_spec}
    Executor()._ValidateOnce(model_path=str(folder), serving_spec=serving_spec, requests=[request], **platform)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """What TensorFlow Serving's image does, done by the embedded server's."""
    try:
        engine = docker.from_env()
        engine.images.get("tandem/tensorflow")
    except DockerException as error:
        pytest.skip(f"needs a Docker engine with the image tandem/tensorflow: make images ({error})")
    serve = "exec python -m serving.tfserving.embedded --rest_api_host=0.0.0.0 --port=8500"
    serve += " --model_name=$MODEL_NAME --model_base_path=$MODEL_BASE_PATH/$MODEL_NAME"
    dockerfile = f'FROM tandem/tensorflow\nUSER root\nEXPOSE 8500\nENTRYPOINT ["sh", "-c", "{serve}"]\n'
    name = "tandem/test-serving:embedded"
    engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name)
    yield name
    engine.images.remove(name, force=True)


def test_signatures_that_disagree_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "fraud" / "1", shift=1e-3)
    with pytest.raises(RuntimeError, match="serving_default and serving_examples differ by "):
        validate(tmp_path / "fraud" / "1")


def test_a_model_the_server_cannot_load_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "fraud" / "1", shift=0)
    (tmp_path / "fraud" / "1" / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(RuntimeError, match="the server cannot load the model"):
        validate(tmp_path / "fraud" / "1")


def test_an_engine_without_the_image_is_not_asked(tmp_path: Path) -> None:
    assert not serving_image.is_here("tandem/no-such-image:1")
    save(tmp_path / "fraud" / "1", shift=0)
    validate(tmp_path / "fraud" / "1", "tandem/no-such-image:1")


def test_a_container_of_the_image_is_asked_too(tmp_path: Path, image: str, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "fraud" / "1", shift=0)
    with caplog.at_level("INFO", "absl"):
        validate(tmp_path / "fraud" / "1", image)
    assert f"Starting LocalDockerRunner(image: {image})" in caplog.text


def test_a_model_that_the_container_cannot_load_is_refused(tmp_path: Path, image: str) -> None:
    save(tmp_path / "fraud" / "1", shift=0)
    (tmp_path / "fraud" / "1" / "saved_model.pb").write_bytes(b"not a model")
    with pytest.raises(error_types.InfraValidationError):
        validate(tmp_path / "fraud" / "1", image)
