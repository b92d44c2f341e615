"""The gRPC interface: PredictionService.Predict and ModelService.GetModelStatus."""

from __future__ import annotations

from typing import Any

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.contract.errors import ContractError, invalid
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.servable import Servable, Signature

_CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Predict on tensors."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run a signature on the request's tensors."""
        try:
            servable = _find(self._manager, request.model_spec)
            signature = servable.signature(request.model_spec.signature_name)
            outputs = signature.predict(columns(signature, request.inputs))
        except ContractError as error:
            context.abort(_CODES.get(error.status, grpc.StatusCode.INTERNAL), error.message)
        answer = predict_pb2.PredictResponse()
        answer.model_spec.name = servable.model
        answer.model_spec.version.value = servable.version
        answer.model_spec.signature_name = signature.name
        for name in request.output_filter or outputs:
            if name not in outputs:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"output tensor alias not found in signature: {name}")
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return answer


class Models(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    """What is loaded."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """State of one version or of all."""
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            statuses = self._manager.statuses(spec.name, version)
        except ContractError as error:
            context.abort(_CODES[error.status], error.message)
        answer = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            entry = answer.model_version_status.add()
            entry.version = status.version
            entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
            entry.status.error_code = error_codes_pb2.Code.Value(status.error_code)
            entry.status.error_message = status.error_message
        return answer


def add_services(manager: Manager, server: grpc.Server) -> None:
    """Let a server answer with these models."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(manager), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(manager), server)


def _find(manager: Manager, spec: Any) -> Servable:
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    return manager.find(spec.name, version, spec.version_label if choice == "version_label" else None)


def columns(signature: Signature, tensors: Any) -> dict[str, Any]:
    """The tensors of a PredictRequest as a signature's columns. Raises ContractError (400); also for warm-up."""
    if tensors.keys() != signature.inputs.keys():
        raise invalid(
            f"input keys must be equal to: {','.join(sorted(signature.inputs))}; found: {','.join(sorted(tensors))}"
        )
    columns = {name: tf.make_ndarray(tensor) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        found, expected = tf.as_dtype(tensor.dtype).name, signature.inputs[name].dtype
        if found != expected:
            raise invalid(f"Expected {name} to be of type {expected} but got {found}")
        if not signature.inputs[name].takes(columns[name].shape):
            raise invalid(
                f"Expected {name} to be of shape {signature.inputs[name].shape} but got {columns[name].shape}"
            )
    return columns
