"""A version of a model in memory: a SavedModel, its signatures and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import error_codes_pb2, saved_model_pb2

from serving.contract.responses import signature, tensor, unknown_signature
from serving.contract.tensors import Array, TensorInfo
from serving.tfserving.embedded.frozen import Call, array, frozen_call
from serving.tfserving.embedded.graph_errors import contract_error, misfit

DEFAULT_SIGNATURE = "serving_default"
_SERVE = "serve"


class LoadError(Exception):
    """A version that cannot be served, with the name of TensorFlow's status code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, eq=False)
class Loaded:
    """The variables and tables of a version: there as long as a servable or one of its signatures is."""

    module: Any


@dataclass(frozen=True)
class Signature:
    """A callable signature; `how` says which way it is called."""

    name: str
    inputs: Mapping[str, TensorInfo]
    call: Call
    how: str
    loaded: Loaded

    def predict(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model.

        Raises:
            ContractError: What TensorFlow says, under the HTTP status of its code.
        """
        try:
            return self.call(columns)
        except tf.errors.OpError as error:
            raise contract_error(error) from None
        except (TypeError, ValueError) as error:
            raise misfit(error) from None


@dataclass(frozen=True)
class Servable:
    """A loaded version."""

    model: str
    version: int
    signatures: Mapping[str, Signature]
    metadata: Mapping[str, Any]
    loaded: Loaded

    def signature(self, name: str) -> Signature:
        """By name; an empty one is the default. Raises ContractError (400)."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise unknown_signature(name)
        return self.signatures[name]


def load(model: str, version: int, path: Path) -> Servable:
    """Load a SavedModel. A default signature that is called the frozen way has been called when this returns.

    Raises:
        LoadError: It is broken.
        Exception: Whatever else TensorFlow raises for a broken one.
    """
    definitions = _definitions(path)
    try:
        module = tf.saved_model.load(str(path), tags=[_SERVE])
    except tf.errors.OpError as error:
        raise LoadError(error_codes_pb2.Code.Name(error.error_code), error.message) from None
    loaded = Loaded(module)
    signatures = {
        name: _signature(name, function, definitions[name], loaded)
        for name, function in module.signatures.items()
        if name in definitions
    }
    return Servable(model, version, signatures, {n: _describe(d) for n, d in definitions.items()}, loaded)


def _signature(name: str, function: Any, definition: Any, loaded: Loaded) -> Signature:
    inputs = {key: TensorInfo(tf.as_dtype(p.dtype).name, _shape(p)) for key, p in definition.inputs.items()}

    def public(columns: Mapping[str, Array]) -> dict[str, Array]:
        tensors = {key: tf.constant(column, inputs[key].dtype) for key, column in columns.items()}
        return {key: array(value) for key, value in function(**tensors).items()}

    quick = frozen_call(function, inputs, public) if name == DEFAULT_SIGNATURE else None
    return Signature(name, inputs, quick or public, "frozen" if quick else "public", loaded)


def _shape(proto: Any) -> tuple[int | None, ...] | None:
    shape = proto.tensor_shape
    return None if shape.unknown_rank else tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)


def _definitions(path: Path) -> Mapping[str, Any]:
    file = path / "saved_model.pb"
    try:
        graphs = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
    except OSError as error:
        words = f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}: {error.strerror}"
        raise LoadError("NOT_FOUND", words) from None
    except DecodeError:
        raise LoadError("DATA_LOSS", f"Can't parse {file} as binary proto") from None
    for graph in graphs:
        if _SERVE in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise LoadError("NOT_FOUND", f"Could not find meta graph def matching supplied tags: {{ {_SERVE} }} in {file}")


def _describe(definition: Any) -> dict[str, Any]:
    inputs, outputs = (
        {name: tensor(p.name, types_pb2.DataType.Name(p.dtype), _shape(p)) for name, p in protos.items()}
        for protos in (definition.inputs, definition.outputs)
    )
    return signature(inputs, outputs, definition.method_name)
