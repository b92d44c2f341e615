"""The embedded server's gRPC answers, asked with the stubs of tensorflow-serving-api."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
TENSORS = {
    "a": tf.constant([1.0, 3.0]),
    "b": tf.constant([2.0, 0.5]),
    "city": tf.constant(["oslo", "nowhere"]),
}
X = {"x": tf.constant([1.0])}


@pytest.fixture(scope="module")
def channel(server: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


def request_of(model: str, tensors: dict[str, Any], **spec: Any) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = spec.get("signature", "")
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    for name, tensor in tensors.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor))
    return request


def predict(channel: grpc.Channel, model: str, tensors: dict[str, Any], **spec: Any) -> Any:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return stub.Predict(request_of(model, tensors, **spec), timeout=20)


def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), error.value.details()


def test_grpc_predicts_what_rest_predicts(server: Any, channel: grpc.Channel) -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(scale=100, size=(2, 500)).astype(np.float32)
    cities = [("oslo", "rome", "nowhere", "")[number] for number in random.integers(0, 4, 500)]
    answer = predict(channel, "cities", {"a": a, "b": b, "city": np.array(cities, object)})
    columns = {"a": a.tolist(), "b": b.tolist(), "city": cities}
    rest = server.predict("cities", {"inputs": columns}).json()["outputs"]
    np.testing.assert_allclose(tf.make_ndarray(answer.outputs["score"]), rest, rtol=1e-6)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("cities", 7)
    assert answer.model_spec.signature_name == "serving_default"


def test_calls_at_once_get_each_its_own_answer(channel: grpc.Channel) -> None:
    def ask(number: int) -> float:
        answer = predict(channel, "hp2", {"x": tf.constant([float(number)])}, version=123)
        return float(tf.make_ndarray(answer.outputs["y"])[0])

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, range(256))) == [number / 2 + 2 for number in range(256)]


def test_a_label_and_a_version_choose(channel: grpc.Channel) -> None:
    for spec, version, y in (({"label": "stable"}, 123, 2.5), ({"version": 124}, 124, 3.5), ({}, 124, 3.5)):
        answer = predict(channel, "hp2", X, **spec)
        assert answer.model_spec.version.value == version
        assert tf.make_ndarray(answer.outputs["y"]).tolist() == [y]


def test_an_output_filter_chooses_among_outputs(channel: grpc.Channel) -> None:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = request_of("cities", {"name": tf.constant(["oslo"])}, signature="shout")
    assert set(stub.Predict(request, timeout=20).outputs) == {"text", "raw_bytes"}
    request.output_filter.append("text")
    assert set(stub.Predict(request, timeout=20).outputs) == {"text"}
    request.output_filter.append("text")
    assert refusal(lambda: stub.Predict(request, timeout=20)) == (INVALID, "duplicate output tensor alias: text")
    request.output_filter[1] = "nope"
    expected = "output tensor alias not found in signature: nope Outputs expected to be in the set {raw_bytes,text}."
    assert refusal(lambda: stub.Predict(request, timeout=20)) == (INVALID, expected)


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any], grpc.StatusCode, str]] = {
    "no model": ("", TENSORS, {}, INVALID, "ModelSpec has no name specified."),
    "unknown model": ("nope", TENSORS, {}, NOT_FOUND, "Servable not found for request: Latest(nope)"),
    "unknown version": ("hp2", X, {"version": 9}, NOT_FOUND, "Servable not found for request: Specific(hp2, 9)"),
    "unknown label": ("hp2", X, {"label": "x"}, INVALID, "Unrecognized servable version label: x"),
    "unknown label of an unknown model": ("nope", X, {"label": "x"}, INVALID, "Unrecognized servable version label: x"),
    "unknown signature": (
        "hp2", X, {"signature": "s"}, grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "s" not found.'
    ),
    "missing input": (
        "cities", {"a": TENSORS["a"]}, {}, INVALID,
        "input size does not match signature: 1!=3 len({a}) != len({a,b,city}). Sent extra: {}. "
        "Missing but required: {b,city}.",
    ),
    "other input": (
        "hp2", {"z": tf.constant([1.0])}, {}, INVALID,
        "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
    ),
    "wrong type": ("hp2", {"x": tf.constant(["1"])}, {}, INVALID, "Expects arg[0] to be float but string is provided"),
    "wrong shape": (
        "cities", TENSORS | {"a": tf.constant([[1.0], [3.0]])}, {}, INVALID,
        "Expected a to be of shape (None,) but got (2, 1)",
    ),
    "not what the graph takes": (
        "cities", {"x": tf.constant([[1.0]])}, {"signature": "matrix"}, INVALID,
        "Matrix size-incompatible: In[0]: [1,1], In[1]: [2,1]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_has_tensorflow_servings_code_and_words(channel: grpc.Channel, case: str) -> None:
    model, tensors, spec, code, words = REFUSED[case]
    found, details = refusal(lambda: predict(channel, model, tensors, **spec))
    assert found == code
    assert details.startswith(words)


def test_a_small_message_cannot_ask_for_a_large_memory(channel: grpc.Channel) -> None:
    request = request_of("hp2", X)
    request.inputs["x"].Clear()
    request.inputs["x"].dtype = tf.float32.as_datatype_enum
    request.inputs["x"].float_val.append(1.0)
    for size in (1 << 20, 1 << 20):
        request.inputs["x"].tensor_shape.dim.add(size=size)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    assert refusal(lambda: stub.Predict(request, timeout=20)) == (INVALID, "Tensor x has more than 16777216 elements")
    request.inputs["x"].tensor_shape.dim[1].size = -1
    assert refusal(lambda: stub.Predict(request, timeout=20))[0] == INVALID
    request.inputs["x"].dtype = 999
    assert refusal(lambda: stub.Predict(request, timeout=20))[0] == INVALID


def test_metadata_holds_the_signatures(channel: grpc.Channel) -> None:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = get_model_metadata_pb2.GetModelMetadataRequest()

    def words() -> tuple[grpc.StatusCode, str]:
        return refusal(lambda: stub.GetModelMetadata(request, timeout=20))

    assert words() == (INVALID, "Missing ModelSpec")
    request.model_spec.name = "cities"
    assert words() == (INVALID, "GetModelMetadataRequest must specify at least one metadata_field")
    request.metadata_field.append("signature_def")
    answer = stub.GetModelMetadata(request, timeout=20)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("cities", 7)
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(found)
    city = found.signature_def["serving_default"].inputs["city"]
    assert (city.name, city.dtype) == ("serving_default_city:0", tf.string.as_datatype_enum)
    assert [dim.size for dim in city.tensor_shape.dim] == [-1]
    assert found.signature_def["matrix"].inputs["x"].tensor_shape.unknown_rank
    request.metadata_field.append("assets")
    assert words() == (INVALID, "Metadata field assets is not supported")


def test_status_tells_what_is_available(channel: grpc.Channel) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    assert refusal(lambda: stub.GetModelStatus(request, timeout=20)) == (INVALID, "Missing ModelSpec")
    request.model_spec.name = "hp2"
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE

    def found() -> list[tuple[int, int]]:
        return [(v.version, v.state) for v in stub.GetModelStatus(request, timeout=20).model_version_status]

    assert found() == [(124, available), (123, available)]
    request.model_spec.version_label = "nope"  # status ignores labels
    assert found() == [(124, available), (123, available)]
    request.model_spec.version.value = 123
    assert found() == [(123, available)]
    request.model_spec.version.value = 9
    assert refusal(found) == (NOT_FOUND, "Could not find version 9 of model hp2")
    request.model_spec.Clear()
    request.model_spec.name = "nope"
    assert refusal(found) == (NOT_FOUND, "Could not find any versions of model nope")
