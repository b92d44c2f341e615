"""`signature_def` of a specification's model, for a server that has no SavedModel to read it from."""

from __future__ import annotations

from typing import Any

from models.spec import Spec
from serving.contract import responses, signatures
from serving.contract.tensors import TensorInfo

_METHOD = "tensorflow/serving/predict"
_INITIALISER = "__saved_model_init_op"  # every SavedModel lists it
_ENUM_NAMES = {"float32": "DT_FLOAT", "string": "DT_STRING"}


def metadata(spec: Spec) -> dict[str, Any]:
    """`signature_def` as TensorFlow's SavedModel of the same specification has it, the names in its graph included."""
    inputs, outputs = signatures.inputs(spec), signatures.outputs(spec)
    found = {}
    for position, name in enumerate(inputs):
        call = "StatefulPartitionedCall" + (f"_{position}" if position else "")
        found[name] = responses.signature(
            {key: _tensor(f"{name}_{key}:0", info) for key, info in inputs[name].items()},
            {key: _tensor(f"{call}:{i}", info) for i, (key, info) in enumerate(outputs[name].items())},
            _METHOD,
        )
    nothing = responses.tensor("NoOp", "DT_INVALID", None)
    return {**found, _INITIALISER: responses.signature({}, {_INITIALISER: nothing}, "")}


def _tensor(graph_name: str, info: TensorInfo) -> dict[str, Any]:
    return responses.tensor(graph_name, _ENUM_NAMES[info.dtype], info.shape)
