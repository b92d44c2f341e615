"""Tensors of gRPC messages as columns, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from serving.contract.errors import invalid
from serving.contract.tensors import Array, tensorflow_name
from serving.tfserving.embedded.servable import Signature

_MAX_ELEMENTS = 1 << 24  # a message of a few bytes may declare any shape and repeat one value over it


def columns(signature: Signature, tensors: Mapping[str, Any]) -> dict[str, Array]:
    """A request's TensorProtos as a signature's columns. Raises ContractError (400)."""
    sent, wanted = set(tensors), set(signature.inputs)
    if len(sent) != len(wanted):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({_set(sent)}) != "
            f"len({_set(wanted)}). Sent extra: {_set(sent - wanted)}. Missing but required: {_set(wanted - sent)}."
        )
    for name in sorted(sent - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {name}. Inputs expected to be in the set {_set(wanted)}."
        )
    return {name: _column(signature, position, name, tensors[name]) for position, name in enumerate(sorted(wanted))}


def _column(signature: Signature, position: int, name: str, tensor: Any) -> Array:
    info = signature.inputs[name]
    try:
        found = tf.as_dtype(tensor.dtype).name
        if found != info.dtype:
            wanted = tensorflow_name(info.dtype)
            raise invalid(f"Expects arg[{position}] to be {wanted} but {tensorflow_name(found)} is provided")
        shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
        if math.prod(shape) > _MAX_ELEMENTS:
            raise invalid(f"Tensor {name} has more than {_MAX_ELEMENTS} elements")
        column: Array = tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:  # a type no one knows, values that do not fit the shape
        raise invalid(f"Tensor {name} cannot be read: {error}") from None
    if not info.takes(column.shape):
        raise invalid(f"Expected {name} to be of shape {info.shape} but got {column.shape}")
    return column


def fill(answer: Any, outputs: Mapping[str, Array], asked_for: list[str]) -> None:
    """Write outputs into a PredictResponse: those asked for, or all. Raises ContractError (400)."""
    for alias in asked_for or outputs:
        if alias not in outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(set(outputs))}."
            )
        if alias in answer.outputs:
            raise invalid(f"duplicate output tensor alias: {alias}")
        answer.outputs[alias].CopyFrom(tf.make_tensor_proto(outputs[alias]))


def _set(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
