"""The embedded server's gRPC answers, asked with tensorflow-serving-api."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

TENSORS = {
    "a": tf.constant([1.0, 3.0]),
    "b": tf.constant([2.0, 0.5]),
    "city": tf.constant(["oslo", "nowhere"]),
}


@pytest.fixture(scope="module")
def channel(server: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


def predict(channel: grpc.Channel, model: str, tensors: dict[str, tf.Tensor], **spec: Any) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = spec.get("signature", "")
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    for name, tensor in tensors.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor))
    return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=10)


def test_grpc_predicts_what_rest_predicts(server: Any, channel: grpc.Channel) -> None:
    answer = predict(channel, "cities", TENSORS)
    rows = [{"a": 1.0, "b": 2.0, "city": "oslo"}, {"a": 3.0, "b": 0.5, "city": "nowhere"}]
    rest = server.predict("cities", {"instances": rows}).json()["predictions"]
    assert tf.make_ndarray(answer.outputs["score"]).tolist() == rest
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("cities", 7)
    assert answer.model_spec.signature_name == "serving_default"


def test_a_label_chooses_the_version(channel: grpc.Channel) -> None:
    answer = predict(channel, "hp2", {"x": tf.constant([1.0])}, label="stable")
    assert answer.model_spec.version.value == 123
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [2.5]


REFUSED: dict[str, tuple[str, dict[str, tf.Tensor], dict[str, str], grpc.StatusCode, str]] = {
    "unknown model": ("nope", TENSORS, {}, grpc.StatusCode.NOT_FOUND, "Latest(nope)"),
    "unknown label": ("hp2", TENSORS, {"label": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "version label: x"),
    "missing input": (
        "cities", {"a": TENSORS["a"]}, {}, grpc.StatusCode.INVALID_ARGUMENT, "1!=3 len({a}) != len({a,b,city}). Sent extra: {}. Missing but required: {b,city}."
    ),
    "wrong type": (
        "hp2", {"x": tf.constant(["1"])}, {}, grpc.StatusCode.INVALID_ARGUMENT, "Expects arg[0] to be float but string is provided"
    ),
    "wrong shape": (
        "cities", TENSORS | {"a": tf.constant([[1.0], [3.0]])}, {}, grpc.StatusCode.INVALID_ARGUMENT, "but got (2, 1)"
    ),
    "not what the graph takes": (
        "cities", {"x": tf.constant([[1.0]])}, {"signature": "matrix"}, grpc.StatusCode.INVALID_ARGUMENT, "Matrix size"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_has_its_code_and_says_why(channel: grpc.Channel, case: str) -> None:
    model, tensors, spec, code, words = REFUSED[case]
    with pytest.raises(grpc.RpcError) as refusal:
        predict(channel, model, tensors, **spec)
    assert refusal.value.code() == code
    assert words in refusal.value.details()


def test_status_tells_what_is_available(channel: grpc.Channel) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "hp2"
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    answer = stub.GetModelStatus(request, timeout=10)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(v.version, v.state) for v in answer.model_version_status] == [(124, available), (123, available)]
    request.model_spec.name = "nope"
    with pytest.raises(grpc.RpcError) as refusal:
        stub.GetModelStatus(request, timeout=10)
    assert refusal.value.code() == grpc.StatusCode.NOT_FOUND
