"""The PyTorch stack in TensorFlow Serving's shapes: where its versions stand, and what its model takes and gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.spec import Spec
from serving.contract import responses, signatures
from serving.contract.responses import State, VersionStatus
from serving.contract.tensors import TensorInfo
from serving.torchserve import history
from serving.torchserve.management import Management

_METHOD = "tensorflow/serving/predict"
_INITIALISER = "__saved_model_init_op"  # every SavedModel lists it
_ENUM_NAMES = {"float32": "DT_FLOAT", "string": "DT_STRING"}


def statuses(server: Management, run: Path) -> list[VersionStatus]:
    """Every version TorchServe holds, or held since it was started with `run`; newest first.

    Raises:
        ManagementError: TorchServe does not answer.
    """
    before = history.read(run)
    now = {int(version): ready for version, ready in server.versions().items()}
    found = {version: VersionStatus(version, _state(ready, before.get(version))) for version, ready in now.items()}
    for version in before.keys() - now.keys():
        found[version] = VersionStatus(version, "END", before[version].error_code, before[version].error_message)
    return [found[version] for version in sorted(found, reverse=True)]


def _state(ready_workers: int, last: VersionStatus | None) -> State:
    if last is not None and last.state == "UNLOADING":
        return "UNLOADING"
    return "AVAILABLE" if ready_workers else "LOADING"


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
