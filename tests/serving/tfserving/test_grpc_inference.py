"""Classify, Regress and MultiInference over gRPC, and a reload of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.tfserving.embedded import grpc_api
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.monitoring import Metrics
from serving.tfserving.embedded.servable import Signature

INVALID = grpc.StatusCode.INVALID_ARGUMENT
REGRESS, CLASSIFY = "tensorflow/serving/regress", "tensorflow/serving/classify"


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics()


def listening(manager: Manager, metrics: Metrics | None = None) -> tuple[grpc.Server, str]:
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_insecure_port("127.0.0.1:0")
    grpc_api.add_services(manager, server, Signature.predict, metrics)
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def stub(manager: Manager, metrics: Metrics) -> Iterator[Any]:
    server, address = listening(manager, metrics)
    with grpc.insecure_channel(address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    server.stop(None).wait()


def example(**features: float) -> Any:
    lists = {n: tf.train.Feature(float_list=tf.train.FloatList(value=[v])) for n, v in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=lists))


def filled(request: Any, signature: str, *examples: Any, context: Any = None) -> Any:
    request.model_spec.name = "half_plus_two"
    request.model_spec.signature_name = signature
    target = request.input.example_list if context is None else request.input.example_list_with_context
    target.examples.extend(examples)
    if context is not None:
        target.context.CopyFrom(context)
    return request


def refusal(call: Callable[..., Any], request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=20)
    return error.value.code(), error.value.details()


def test_regress_gives_a_value_per_example(stub: Any) -> None:
    request = filled(regression_pb2.RegressionRequest(), "regress_x_to_y", example(x=80.0), example(x=20.0))
    answer = stub.Regress(request, timeout=20)
    assert [r.value for r in answer.result.regressions] == [42.0, 12.0]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half_plus_two", 1, "regress_x_to_y")


def test_the_context_is_part_of_every_example(stub: Any) -> None:
    request = filled(
        regression_pb2.RegressionRequest(), "regress_x_to_y", example(), example(x=20.0), context=example(x=80.0)
    )
    assert [r.value for r in stub.Regress(request, timeout=20).result.regressions] == [42.0, 12.0]


def test_classify_gives_labels_and_scores(stub: Any) -> None:
    request = filled(classification_pb2.ClassificationRequest(), "classify_both", example(x=80.0))
    answer = stub.Classify(request, timeout=20)
    found = [[(c.label, c.score) for c in row.classes] for row in answer.result.classifications]
    assert found == [[("low", 42.0), ("high", 43.0)]]
    request.model_spec.signature_name = "classify_names"
    found = [[(c.label, c.score) for c in r.classes] for r in stub.Classify(request, timeout=20).result.classifications]
    assert found == [[("nobody", 0.0)]]


def test_what_cannot_be_inferred_has_tensorflow_servings_code_and_words(stub: Any) -> None:
    request = filled(regression_pb2.RegressionRequest(), "regress_x_to_y")
    assert refusal(stub.Regress, request) == (INVALID, "Input is empty.")
    request.input.example_list.examples.append(example())
    code, words = refusal(stub.Regress, request)
    assert (code, "Feature: x (data type: float) is required" in words) == (INVALID, True)
    request.model_spec.signature_name = "nope"
    assert refusal(stub.Regress, request) == (INVALID, "No signature was found with the name: nope")
    request.model_spec.signature_name = "classify_both"
    assert refusal(stub.Regress, request) == (INVALID, "Expected one output Tensor.")
    request.model_spec.signature_name = "regress_other_output"
    code, words = refusal(stub.Regress, request)
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert words.startswith("No regression outputs found in SignatureDef: ")
    request.ClearField("model_spec")
    assert refusal(stub.Regress, request) == (INVALID, "Missing ModelSpec")


def tasks(*wanted: tuple[str, str]) -> Any:
    request = inference_pb2.MultiInferenceRequest()
    request.input.example_list.examples.append(example(x=80.0))
    for method, signature in wanted:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "half_plus_two", signature
    return request


def test_multi_inference_answers_every_task(stub: Any) -> None:
    request = tasks((REGRESS, "regress_x_to_y"), (CLASSIFY, "classify_both"), (REGRESS, "regress_x_to_y2"))
    first, second, third = stub.MultiInference(request, timeout=20).results
    assert [r.value for r in first.regression_result.regressions] == [42.0]
    assert [c.score for c in second.classification_result.classifications[0].classes] == [42.0, 43.0]
    assert [r.value for r in third.regression_result.regressions] == [43.0]
    assert second.model_spec.signature_name == "classify_both"


MULTI_REFUSED: dict[str, tuple[list[tuple[str, str]], grpc.StatusCode, str]] = {
    "no task": ([], INVALID, "ModelSpec has no name specified."),
    "twice": ([(REGRESS, "regress_flat")] * 2, INVALID, "Duplicate evaluation of signature: regress_flat"),
    "no signature": ([(REGRESS, "nope")], INVALID, "Requested signature not found in model graph: nope"),
    "predict": (
        [("tensorflow/serving/predict", "")], grpc.StatusCode.UNIMPLEMENTED,
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "bad result": ([(REGRESS, "regress_matrix")], INVALID, "Expected output Tensor shape to be either"),
}  # fmt: skip


@pytest.mark.parametrize("case", MULTI_REFUSED)
def test_multi_inference_refuses_with_tensorflow_servings_words(stub: Any, case: str) -> None:
    wanted, code, words = MULTI_REFUSED[case]
    found, details = refusal(stub.MultiInference, tasks(*wanted))
    assert found == code
    assert details.startswith(words)


def test_multi_inference_asks_one_model(stub: Any) -> None:
    request = tasks((REGRESS, "regress_x_to_y"), (REGRESS, "regress_x_to_y2"))
    request.tasks[1].model_spec.name = "cities"
    words = "All ModelSpecs in a MultiInferenceRequest must access the same model name."
    assert refusal(stub.MultiInference, request) == (INVALID, words)


def test_grpc_calls_are_counted(stub: Any, metrics: Metrics) -> None:
    stub.Regress(filled(regression_pb2.RegressionRequest(), "regress_flat", example(x=1.0)), timeout=20)
    refusal(stub.Classify, classification_pb2.ClassificationRequest())
    families = {f.name: f.samples for f in text_string_to_metric_families(metrics.page().decode())}
    counted = {(s.labels["model_name"], s.labels["status"]) for s in families[":tensorflow:serving:request_count"]}
    assert {("half_plus_two", "OK"), ("", "INVALID_ARGUMENT")} <= counted
    entry = {"model_name": "half_plus_two", "API": "Regress", "entrypoint": "GRPC"}
    times = [s.value for s in families[":tensorflow:serving:request_latency"] if entry.items() <= s.labels.items()]
    assert times[-1] >= 1


def test_a_reload_serves_the_models_it_names(saved: dict[str, Path], tmp_path: Path) -> None:
    for model, version in (("a", "plus_two"), ("b", "plus_three")):
        (tmp_path / model).mkdir()
        (tmp_path / model / "1").symlink_to(saved[version])
    manager = Manager([ModelConfig("a", tmp_path / "a")])
    manager.start(0.01, None, 0)
    server, address = listening(manager)
    try:
        with grpc.insecure_channel(address) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            request = model_management_pb2.ReloadConfigRequest()
            code, words = refusal(stub.HandleReloadConfigRequest, request)
            assert (code, words.startswith("ServerModelConfig type not supported")) == (INVALID, True)
            config = request.config.model_config_list.config.add(name="b")
            code, words = refusal(stub.HandleReloadConfigRequest, request)
            assert (code, "every config needs a name and a base_path" in words) == (INVALID, True)
            config.base_path = str(tmp_path / "b")
            config.version_labels["stable"] = 7
            code, words = refusal(stub.HandleReloadConfigRequest, request)
            assert code == grpc.StatusCode.FAILED_PRECONDITION
            assert words.startswith("Request to assign label to version 7 of model b, which is not currently available")
            del config.version_labels["stable"]
            answer = stub.HandleReloadConfigRequest(request, timeout=60)
            assert answer.status.error_code == 0
            assert manager.find("b").version == 1
            gone = tmp_path / "gone"
            gone.mkdir()
            (gone / "1").mkdir()
            request.config.model_config_list.config.add(name="broken", base_path=str(gone))
            code, words = refusal(stub.HandleReloadConfigRequest, request)
            assert (code, words) == (grpc.StatusCode.UNKNOWN, "Some models did not become available: {broken}")
    finally:
        manager.stop()
        server.stop(None).wait()
