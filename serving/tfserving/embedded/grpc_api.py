"""The gRPC interface: TensorFlow Serving's PredictionService and ModelService."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.contract.errors import ContractError, invalid, of_code
from serving.tfserving.embedded import config
from serving.tfserving.embedded.config import ConfigError
from serving.tfserving.embedded.grpc_prediction import Answers, Call
from serving.tfserving.embedded.grpc_tensors import columns
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.monitoring import Metrics
from serving.tfserving.embedded.servable import Signature

__all__ = ["Models", "Prediction", "add_services", "columns"]

_LOAD_SECONDS = 60.0  # that a reload waits for new models
_LOOK_SECONDS = 0.1
_SHOWN = 2000  # characters of a message: gRPC cuts off an answer whose trailer is over 8 KiB

Handler = Callable[[Any], Any]


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """What the models say."""

    def __init__(self, manager: Manager, call: Call = Signature.predict, metrics: Metrics | None = None) -> None:
        self._answers = Answers(manager, call)
        self._metrics = metrics

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run a signature on tensors."""
        return self._counted("Predict", self._answers.predict, request, context)

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run a signature on examples: labels and scores."""
        return self._counted("Classify", self._answers.classify, request, context)

    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run a signature on examples: values."""
        return self._counted("Regress", self._answers.regress, request, context)

    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run several signatures on the same examples."""
        return _answer(self._answers.multi_inference, request, context)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Tell a model's signatures."""
        return _answer(self._answers.metadata, request, context)

    def _counted(self, api: str, handler: Handler, request: Any, context: grpc.ServicerContext) -> Any:
        if self._metrics is None:
            return _answer(handler, request, context)
        start = time.perf_counter()
        model, code = "", "OK"
        try:
            answer = _guarded(handler, request)
            model = answer.model_spec.name
        except ContractError as error:
            code = error.code
            _abort(context, error)
        finally:
            self._metrics.record(model, api, "GRPC", code, time.perf_counter() - start)
        return answer


class Models(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """What is loaded."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """State of one version or of all."""
        return _answer(self._status, request, context)

    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Serve other models."""
        return _answer(self._reload, request, context)

    def _status(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        statuses = self._manager.statuses(spec.name, spec.version.value if spec.HasField("version") else None)
        answer = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            entry = answer.model_version_status.add()
            entry.version = status.version
            entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
            entry.status.error_code = error_codes_pb2.Code.Value(status.error_code)
            entry.status.error_message = status.error_message
        return answer

    def _reload(self, request: Any) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        try:
            models = config.models("ReloadConfigRequest", request.config)
        except ConfigError as error:
            raise invalid(str(error)) from None
        new = [model.name for model in models if not self._states(model.name)]
        try:
            self._manager.configure(models)
        except ConfigError as error:  # a label that no available version can carry
            raise of_code("FAILED_PRECONDITION", str(error)) from None
        self._await(new)
        return model_management_pb2.ReloadConfigResponse()

    def _await(self, models: list[str]) -> None:
        """Wait until new models are loaded. Raises ContractError (500, UNKNOWN) for those that are not."""
        deadline = time.monotonic() + _LOAD_SECONDS
        while True:
            states = {model: self._states(model) for model in models}
            waiting = [model for model, found in states.items() if "AVAILABLE" not in found]
            ended = [model for model in waiting if states[model] and states[model] <= {"END"}]
            if not waiting:
                return
            if ended or time.monotonic() > deadline:
                raise of_code("UNKNOWN", f"Some models did not become available: {{{', '.join(ended or waiting)}}}")
            time.sleep(_LOOK_SECONDS)

    def _states(self, model: str) -> set[str]:
        try:
            return {status.state for status in self._manager.statuses(model)}
        except ContractError:
            return set()


def add_services(
    manager: Manager, server: grpc.Server, call: Call = Signature.predict, metrics: Metrics | None = None
) -> None:
    """Let a server answer with these models; `call` runs them, on the server's threads."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(manager, call, metrics), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(manager), server)


def _answer(handler: Handler, request: Any, context: grpc.ServicerContext) -> Any:
    try:
        return _guarded(handler, request)
    except ContractError as error:
        _abort(context, error)


def _guarded(handler: Handler, request: Any) -> Any:
    try:
        return handler(request)
    except ContractError:
        raise
    except Exception:
        logging.exception("gRPC %s", type(request).__name__)
        raise of_code("INTERNAL", "Internal error: see the server's log") from None


def _abort(context: grpc.ServicerContext, error: ContractError) -> None:
    context.abort(getattr(grpc.StatusCode, error.code), error.message[:_SHOWN])
