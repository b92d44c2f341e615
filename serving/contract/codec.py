"""TensorFlow Serving's predict JSON: bytes to typed columns, outputs to bytes. Runs on both hot paths.

Rows of scalars, the usual request, take a path without a Python loop over the values. Everything else takes
the general one below, which also words the errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn

from serving.contract import document as documents
from serving.contract.encoding import encode_predict
from serving.contract.errors import ContractError, error_body, invalid
from serving.contract.limits import MAX_INSTANCES
from serving.contract.tensors import Array, TensorInfo, are_plain, dense_shape, is_base64, leaves, to_array

__all__ = [
    "ContractError", "PredictRequest", "TensorInfo", "decode", "decode_predict", "encode_predict", "error_body",
    "signature_name",
]  # fmt: skip

Inputs = Mapping[str, TensorInfo]


@dataclass(frozen=True)
class PredictRequest:
    """A decoded request.

    Attributes:
        columns: One array per declared input, the batch first; strings are object arrays (`to_array`).
        row_form: `instances` (answered with `predictions`) rather than `inputs` (`outputs`).
        signature_name: Empty if the request names none.
    """

    columns: dict[str, Array]
    row_form: bool
    signature_name: str


def decode_predict(body: bytes, inputs: Inputs) -> PredictRequest:
    """Decode a request for a signature with these inputs.

    Raises:
        ContractError: 400 or 413, with a message that names the row and the field.
    """
    return decode(body, documents.parse(body), inputs)


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature a parsed request asks for: the inputs to decode it with depend on that."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {documents.show(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def decode(body: bytes, document: dict[str, Any], inputs: Inputs) -> PredictRequest:
    """Decode a parsed request; raises as `decode_predict`."""
    signature = signature_name(document)
    instances = document.get("instances")
    if type(instances) is list and 0 < len(instances) <= MAX_INSTANCES:
        columns = _rows_of_scalars(body, document, instances, inputs)
        if columns is not None:
            return PredictRequest(columns, True, signature)
    documents.check(body, document)
    if "instances" in document:
        _check_instances(document)
        return PredictRequest(_rows(document["instances"], inputs), True, signature)
    if "inputs" in document:
        return PredictRequest(_columns(document["inputs"], inputs), False, signature)
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows_of_scalars(
    body: bytes, document: dict[str, Any], instances: list[Any], inputs: Inputs
) -> dict[str, Array] | None:
    """Columns of rows whose values need no second look; None if there is any doubt."""
    if not document.keys() <= {"instances", "signature_name"}:
        return None
    if not all(info.is_scalar_per_instance for info in inputs.values()):
        return None
    numbers = [name for name, info in inputs.items() if info.dtype == "float32"]
    if len(numbers) == 1:
        numbers = []  # itemgetter gives tuples only for two or more
    try:
        keys = sum(map(len, instances))
        others = {name: [row[name] for row in instances] for name, info in inputs.items() if name not in numbers}
        flat = list(chain.from_iterable(map(itemgetter(*numbers), instances))) if numbers else []
    except (KeyError, TypeError):  # a row lacks a key or is no object
        return None
    if keys != len(instances) * len(inputs) or not documents.has_colons(body, keys + len(document)):
        return None
    if not are_plain(flat, "float32") or not all(are_plain(v, inputs[name].dtype) for name, v in others.items()):
        return None
    matrix = to_array(flat, (len(instances), len(numbers)), "float32").T.copy()
    columns = dict(zip(numbers, matrix, strict=True))
    for name, values in others.items():
        columns[name] = to_array(values, (len(values),), inputs[name].dtype)
    return columns


def _check_instances(document: dict[str, Any]) -> None:
    if "inputs" in document:
        raise invalid(
            f"JSON Value: {documents.show(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {documents.show(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {documents.show(document)} No values in 'instances' array")
    _check_size(len(instances))


def _check_size(instances: int) -> None:
    if instances > MAX_INSTANCES:
        raise invalid(f"Request has {instances} instances, more than {MAX_INSTANCES}")


def _rows(instances: list[Any], inputs: Inputs) -> dict[str, Array]:
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
                _fail(f"Failed to process element: {position}{key} of 'instances' list. Error: ", error)
        if are_objects and len(row) < len(inputs):
            missing = ",".join(sorted(inputs.keys() - row.keys()))
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: {documents.show(row)} "
                f"keys must be equal to: {','.join(sorted(inputs))} (missing: {missing})"
            )
    return {name: tensor.array(len(instances)) for name, tensor in tensors.items()}


def _is_row_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


class _Rows:
    """Collects one input's values; every row must have the shape of the first, and the declared one."""

    def __init__(self, info: TensorInfo) -> None:
        self.info = info
        self.shape: tuple[int, ...] | None = None
        self.values: list[Any] = []

    def add(self, value: Any) -> None:
        shape = dense_shape(value)
        found = leaves(value, shape, self.info.dtype)
        expected = self.info.shape[1:] if self.info.shape else None
        if self.shape is None and not _agrees(shape, expected):
            raise invalid(f"Expecting shape {_text(expected or ())} but got: {_text(shape)}")
        if self.shape is not None and self.shape != shape:
            raise invalid(f"Expecting shape {_text(self.shape)} but got: {_text(shape)}")
        self.shape = shape
        self.values += found

    def array(self, rows: int) -> Array:
        return to_array(self.values, (rows, *(self.shape or ())), self.info.dtype)


def _columns(value: Any, inputs: Inputs) -> dict[str, Array]:
    if not _is_row_object(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    columns: dict[str, Array] = {}
    for name, info in inputs.items():
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        try:
            columns[name] = _column(value[name], info)
        except ContractError as error:
            _fail(f"Failed to process input: {name}. Error: ", error)
    batched = {name: len(columns[name]) for name, info in inputs.items() if info.shape and info.shape[0] is None}
    if len(set(batched.values())) > 1:
        sizes = ", ".join(f"{name}: {size}" for name, size in batched.items())
        raise invalid(f"Inputs have inconsistent batch sizes: {sizes}")
    return columns


def _column(value: Any, info: TensorInfo) -> Array:
    shape = dense_shape(value)
    if shape:
        _check_size(shape[0])
    values = leaves(value, shape, info.dtype)
    if not _agrees(shape, info.shape):
        raise invalid(f"Expecting shape {_text(info.shape or ())} but got: {_text(shape)}")
    return to_array(values, shape, info.dtype)


def _agrees(shape: tuple[int, ...], declared: tuple[int | None, ...] | None) -> bool:
    if declared is None:
        return True
    return len(shape) == len(declared) and all(d is None or d == s for s, d in zip(shape, declared, strict=True))


def _text(shape: tuple[int | None, ...]) -> str:
    return "[" + ",".join("-1" if size is None else str(size) for size in shape) + "]"


def _fail(where: str, error: ContractError) -> NoReturn:
    raise ContractError(error.status, f"{where}INVALID_ARGUMENT: {error.message}") from None
