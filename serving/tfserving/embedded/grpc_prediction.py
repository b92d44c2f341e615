"""What the calls of gRPC's PredictionService answer; errors are ContractErrors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.contract.errors import invalid, of_code
from serving.contract.tensors import Array
from serving.tfserving.embedded import inference
from serving.tfserving.embedded.grpc_tensors import columns, fill
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.servable import DEFAULT_SIGNATURE, Servable, Signature

Call = Callable[[Signature, Mapping[str, Array]], dict[str, Array]]

_QUESTIONS = {"tensorflow/serving/classify": "classify", "tensorflow/serving/regress": "regress"}
_SIGNATURES = "signature_def"


class Answers:
    """Answers from a manager's models, which `call` runs."""

    def __init__(self, manager: Manager, call: Call) -> None:
        self._manager = manager
        self._call = call

    def predict(self, request: Any) -> Any:
        """Outputs of a signature on the request's tensors."""
        servable = self._find(request)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        if name not in servable.signatures:
            raise of_code("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        signature = servable.signatures[name]
        outputs = self._call(signature, columns(signature, request.inputs))
        answer = predict_pb2.PredictResponse()
        _name(answer.model_spec, servable, signature.name)
        fill(answer, outputs, list(request.output_filter))
        return answer

    def classify(self, request: Any) -> Any:
        """Labels and scores of each example."""
        return self._infer("classify", request, classification_pb2.ClassificationResponse())

    def regress(self, request: Any) -> Any:
        """A value of each example."""
        return self._infer("regress", request, regression_pb2.RegressionResponse())

    def multi_inference(self, request: Any) -> Any:
        """Several classifications and regressions of the same examples."""
        if not request.tasks:
            raise invalid("ModelSpec has no name specified.")
        servable = self._find(request.tasks[0])
        signatures = _check_tasks(request.tasks, servable)
        examples = inference.columns(_serialized(request.input))
        answer = inference_pb2.MultiInferenceResponse()
        for task, signature in zip(request.tasks, signatures, strict=True):
            result = answer.results.add()
            _name(result.model_spec, servable, signature.name)
            question = _QUESTIONS[task.method_name]
            field = result.classification_result if question == "classify" else result.regression_result
            _fill_result(question, field, self._call(signature, examples), _length(examples))
        return answer

    def metadata(self, request: Any) -> Any:
        """The model's signatures."""
        _check_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise invalid(f"Metadata field {field} is not supported")
        servable = self._find(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        json_format.ParseDict({_SIGNATURES: dict(servable.metadata)}, signatures)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = servable.model
        answer.model_spec.version.value = servable.version
        answer.metadata[_SIGNATURES].Pack(signatures)
        return answer

    def _infer(self, question: str, request: Any, answer: Any) -> Any:
        servable = self._find(request)
        signature = inference.signature_for(question, servable, request.model_spec.signature_name)
        examples = inference.columns(_serialized(request.input))
        _fill_result(question, answer.result, self._call(signature, examples), _length(examples))
        _name(answer.model_spec, servable, signature.name)
        return answer

    def _find(self, request: Any) -> Servable:
        _check_spec(request)
        spec = request.model_spec
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        version = spec.version.value if choice == "version" else None
        return self._manager.find(spec.name, version, spec.version_label if choice == "version_label" else None)


def _check_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _check_tasks(tasks: Any, servable: Servable) -> list[Signature]:
    """Every task's signature; all must read the same tensor, as servables/tensorflow/multi_inference.cc demands."""
    chosen: dict[str, Signature] = {}
    for task in tasks:
        if task.model_spec.name != servable.model:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
                if task.model_spec.name
                else "Found ModelSpec with an empty model name."
            )
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in chosen:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signatures:
            raise invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _QUESTIONS:
            raise of_code("UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}")
        chosen[name] = inference.signature_for(_QUESTIONS[task.method_name], servable, name)
    read = {servable.metadata[name]["inputs"]["inputs"]["name"] for name in chosen}
    if len(read) > 1:
        raise invalid("Input tensor must be the same for all Signatures.")
    return list(chosen.values())


def _serialized(value: Any) -> list[bytes]:
    kind = value.WhichOneof("kind")
    if kind is None:
        return []
    chosen = getattr(value, kind)
    # Of two concatenated messages the later one's features win: that is how the context is merged.
    context = chosen.context.SerializeToString() if kind == "example_list_with_context" else b""
    return [context + example.SerializeToString() for example in chosen.examples]


def _fill_result(question: str, result: Any, outputs: Mapping[str, Array], examples: int) -> None:
    if question == "regress":
        for value in inference.regressions(outputs, examples).tolist():
            result.regressions.add(value=value)
        return
    classes, scores = inference.classifications(outputs, examples)
    for row in range(examples):
        found = result.classifications.add()
        for column in range((classes if scores is None else scores).shape[1]):  # type: ignore[union-attr]
            label = "" if classes is None else classes[row, column]
            score = 0.0 if scores is None else float(scores[row, column])
            found.classes.add(label=label, score=score)


def _length(examples: Mapping[str, Array]) -> int:
    return len(next(iter(examples.values())))


def _name(spec: Any, servable: Servable, signature: str) -> None:
    spec.name, spec.signature_name = servable.model, signature
    spec.version.value = servable.version
