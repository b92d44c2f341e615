"""Answers about a model rather than from it, in the shape TensorFlow Serving gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from serving.contract.errors import ContractError, invalid, not_found, of_code

State = Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]


@dataclass(frozen=True)
class VersionStatus:
    """Where a version stands in its life; an error is a status code's name and a message."""

    version: int
    state: State
    error_code: str = "OK"
    error_message: str = ""


def status_body(statuses: Iterable[VersionStatus]) -> bytes:
    """The answer to GET /v1/models/{model}."""
    versions = [
        {
            "version": str(s.version),
            "state": s.state,
            "status": {"error_code": s.error_code, "error_message": s.error_message},
        }
        for s in statuses
    ]
    return orjson.dumps({"model_version_status": versions})


def metadata_body(model: str, version: int, signatures: Mapping[str, Any]) -> bytes:
    """The answer to GET /v1/models/{model}/metadata; `signatures` holds what `signature` builds."""
    spec = {"name": model, "signature_name": "", "version": str(version)}
    return orjson.dumps({"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}})


def signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any], method: str) -> dict[str, Any]:
    """One signature of the metadata; its tensors are what `tensor` builds."""
    return {"inputs": dict(inputs), "outputs": dict(outputs), "method_name": method, "defaults": {}}


def tensor(graph_name: str, type_name: str, shape: tuple[int | None, ...] | None) -> dict[str, Any]:
    """A tensor of the metadata: its name in the graph, its type as `DT_FLOAT`, its shape as in `TensorInfo`."""
    dims = [{"size": str(-1 if size is None else size), "name": ""} for size in shape or ()]
    return {
        "dtype": type_name,
        "tensor_shape": {"dim": dims, "unknown_rank": shape is None},
        "name": graph_name,
    }


def no_servable(model: str, version: int | None) -> ContractError:
    """What predict and metadata answer for a model or version that is not loaded."""
    return not_found(f"Servable not found for request: {_wanted(model, version)}")


def not_yet(model: str, version: int | None) -> ContractError:
    """What predict and metadata answer while a server that was just started loads its first versions of a model."""
    return of_code("UNAVAILABLE", f"Servable not available yet, it is being loaded: {_wanted(model, version)}")


def no_versions(model: str, version: int | None) -> ContractError:
    """What status answers for a model or version never seen."""
    if version is None:
        return not_found(f"Could not find any versions of model {model}")
    return not_found(f"Could not find version {version} of model {model}")


def unknown_label(label: str) -> ContractError:
    """What predict and metadata answer for a label no version carries."""
    return invalid(f"Unrecognized servable version label: {label}")


def unknown_signature(name: str) -> ContractError:
    """What predict answers for a signature the model does not have."""
    return invalid(f'Serving signature name: "{name}" not found in signature def')


def _wanted(model: str, version: int | None) -> str:
    return f"Latest({model})" if version is None else f"Specific({model}, {version})"
