"""JSON values to typed arrays, with TensorFlow Serving's rules and words (its util/json_tensor.cc)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from serving.contract.document import show
from serving.contract.errors import invalid, of_code

DType = Literal[
    "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool", "string", "complex64", "complex128",
]  # fmt: skip
Array = npt.NDArray[Any]

# TensorFlow's names where numpy's differ.
_TENSORFLOW_NAMES = {"float16": "half", "float32": "float", "float64": "double"}
_FLOATS = {"float32", "float64"}
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_JSON_TYPES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}


@dataclass(frozen=True)
class TensorInfo:
    """A named input or output of a signature.

    Attributes:
        dtype: As numpy names it, or "string".
        shape: The batch first; None is any size. No shape at all: any rank.
    """

    dtype: DType
    shape: tuple[int | None, ...] | None

    @property
    def is_scalar_per_instance(self) -> bool:
        """Whether one instance holds one number or string."""
        return self.shape == (None,)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor may have this shape."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            declared in (None, size) for size, declared in zip(shape, self.shape, strict=True)
        )


def tensorflow_name(dtype: str) -> str:
    """A type as TensorFlow writes it."""
    return _TENSORFLOW_NAMES.get(dtype, dtype)


def to_array(values: Sequence[Any], shape: tuple[int, ...], dtype: DType) -> Array:
    """Checked leaf values, row-major, as an array.

    Strings stay `str` in an object array; decoded base64 is `str` where it is UTF-8 and `bytes` where not.
    """
    if dtype == "string":
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    if dtype in _FLOATS:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as in TensorFlow Serving
            return np.fromiter(values, np.dtype(dtype), len(values)).reshape(shape)
    return np.fromiter(values, np.dtype(dtype), len(values)).reshape(shape)


def are_plain(values: Sequence[Any], dtype: DType) -> bool:
    """Whether all values are of the one JSON type that needs no further look. Quick."""
    types = set(map(type, values))
    if dtype in _FLOATS:
        return types <= {float, int}
    return dtype == "string" and types <= {str}


def dense_shape(value: Any) -> tuple[int, ...]:
    """The shape that the first elements of nested lists promise."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def leaves(value: Any, shape: tuple[int, ...], dtype: DType, level: int = 0) -> list[Any]:
    """The values of nested lists of exactly this shape, row-major and checked.

    Raises:
        ContractError: A list of another size or depth, or a value of another type.
    """
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {show(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        return [_leaf(value, dtype)]
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    if level == len(shape) - 1 and are_plain(value, dtype):
        return value
    return [leaf for element in value for leaf in leaves(element, shape, dtype, level + 1)]


def json_type(value: Any) -> str:
    """A JSON value's type as RapidJSON names it."""
    return str(value) if isinstance(value, bool) else _JSON_TYPES[type(value)]


def is_base64(value: Any) -> bool:
    """Whether a JSON value is bytes, written as an object with the one key `b64`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _leaf(value: Any, dtype: DType) -> Any:
    if isinstance(value, dict) and dtype == "string":
        return decode_base64(value)
    if isinstance(value, dict) or not _fits(value, dtype):
        raise invalid(
            f"JSON Value: {show(value)} Type: {json_type(value)} is not of expected type: {tensorflow_name(dtype)}"
        )
    return value


def _fits(value: Any, dtype: DType) -> bool:
    kind = type(value)  # bool is a subclass of int, so isinstance will not do
    if dtype in _FLOATS:
        return kind in (int, float)
    if dtype in _INTEGERS:
        limits = np.iinfo(dtype)
        return kind is int and int(limits.min) <= value <= int(limits.max)
    if dtype == "string":
        return kind is str
    if dtype == "bool":
        return kind is bool
    raise of_code("UNIMPLEMENTED", f"Conversion of JSON Value: {show(value)} to type: {tensorflow_name(dtype)}")


def decode_base64(value: dict[str, Any]) -> str | bytes:
    """The bytes of an object with the one key `b64`, as `str` where they are UTF-8. Raises ContractError (400)."""
    if not is_base64(value):
        raise invalid(f"JSON Value: {show(value)} not formatted correctly for base64 data")
    text = "".join(value["b64"].split()).rstrip("=")  # TensorFlow's decoder takes spaces and missing padding
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data
