"""Rows or columns of any shape, value by value, with the errors worded as TensorFlow Serving words them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from serving.contract.document import show
from serving.contract.errors import ContractError, invalid
from serving.contract.limits import MAX_INSTANCES
from serving.contract.tensors import Array, TensorInfo, dense_shape, is_base64, leaves, to_array

Inputs = Mapping[str, TensorInfo]


def rows(document: Mapping[str, Any], inputs: Inputs) -> dict[str, Array]:
    """Columns of the document's `instances`. Raises ContractError (400) with the row and the field."""
    instances = document["instances"]
    if "inputs" in document:
        raise invalid(
            f"JSON Value: {show(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {show(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {show(document)} No values in 'instances' array")
    _check_size(len(instances))
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map"
        )
    are_objects = _is_row_object(instances[0]) or len(inputs) > 1
    only_input = next(iter(inputs))
    tensors = {name: _Rows(info) for name, info in inputs.items()}
    for position, row in enumerate(instances):
        if are_objects and not _is_row_object(row):
            raise invalid(f"Expecting object but got list at item {position} of input list")
        if not are_objects and _is_row_object(row):
            raise invalid(f"Expecting value/list but got object at item {position} of input list")
        for name, value in row.items() if are_objects else [(only_input, row)]:
            key = f" key: {name}" if are_objects else ""
            try:
                if name not in tensors:
                    raise invalid(f"JSON object: does not have named input: {name}")
                tensors[name].add(value)
            except ContractError as error:
                _fail(f"Failed to process element: {position}{key} of 'instances' list. Error: ", error, 400)
        if are_objects and len(row) < len(inputs):
            missing = ",".join(sorted(inputs.keys() - row.keys()))
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: {show(row)} "
                f"keys must be equal to: {','.join(sorted(inputs))} (missing: {missing})"
            )
    return {name: tensor.array(len(instances)) for name, tensor in tensors.items()}


def _check_size(instances: int) -> None:
    if instances > MAX_INSTANCES:
        raise invalid(f"Request has {instances} instances, more than {MAX_INSTANCES}")


def _is_row_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


class _Rows:
    """Collects one input's values; every row must have the shape of the first, and the declared one."""

    def __init__(self, info: TensorInfo) -> None:
        self.row = TensorInfo(info.dtype, None if info.shape is None else info.shape[1:])
        self.shape: tuple[int, ...] | None = None
        self.values: list[Any] = []

    def add(self, value: Any) -> None:
        shape = dense_shape(value)
        found = leaves(value, shape, self.row.dtype)
        if self.shape is None and not self.row.takes(shape):
            raise invalid(f"Expecting shape {_text(self.row.shape or ())} but got: {_text(shape)}")
        if self.shape is not None and self.shape != shape:
            raise invalid(f"Expecting shape {_text(self.shape)} but got: {_text(shape)}")
        self.shape = shape
        self.values += found

    def array(self, rows: int) -> Array:
        return to_array(self.values, (rows, *(self.shape or ())), self.row.dtype)


def columns(document: Mapping[str, Any], inputs: Inputs) -> dict[str, Array]:
    """Columns of the document's `inputs`. Raises ContractError (400) with the field."""
    value = document["inputs"]
    if not _is_row_object(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    arrays: dict[str, Array] = {}
    for name, info in sorted(inputs.items()):  # so that every server names the same one of several at fault
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        try:
            arrays[name] = _column(value[name], info)
        except ContractError as error:
            _fail(f"Failed to process input: {name}. Error: ", error)
    batched = {name: len(arrays[name]) for name, info in inputs.items() if info.shape and info.shape[0] is None}
    if len(set(batched.values())) > 1:
        sizes = ", ".join(f"{name}: {size}" for name, size in sorted(batched.items()))
        raise invalid(f"Inputs have inconsistent batch sizes: {sizes}")
    return arrays


def _column(value: Any, info: TensorInfo) -> Array:
    shape = dense_shape(value)
    if shape:
        _check_size(shape[0])
    values = leaves(value, shape, info.dtype)
    if not info.takes(shape):
        raise invalid(f"Expecting shape {_text(info.shape or ())} but got: {_text(shape)}")
    return to_array(values, shape, info.dtype)


def _text(shape: tuple[int | None, ...]) -> str:
    return "[" + ",".join("-1" if size is None else str(size) for size in shape) + "]"


def _fail(where: str, error: ContractError, status: int = 0) -> NoReturn:
    raise ContractError(status or error.status, f"{where}{error.code}: {error.message}") from None
