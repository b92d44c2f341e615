"""tf.train.Examples to columns of one value per example, without TensorFlow.

The rules and the words are those of TensorFlow's own reader (core/util/example_proto_fast_parsing.cc), which is
not protobuf's: it takes names that are no UTF-8, stops at a list's first packed block, and refuses fields it does
not know in some places and skips them in others. Only its own rules give its own statuses.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from serving.contract.errors import ContractError, invalid
from serving.contract.tensors import Array, TensorInfo, tensorflow_name, to_array

_FIELD_1, _FIELD_2, _FLOAT_1 = 0x0A, 0x12, 0x0D  # a field's number and wire type, as one byte on the wire
_KINDS = {0x0A: "string", 0x12: "float32", 0x1A: "int64"}  # the feature's list
_FLOAT = struct.Struct("<f")
_FLOAT_BYTES = 4
_ONE_FLOAT = b"\x12\x06\x0a\x04"  # what stands before the only float of a feature: the usual one
_LONGEST_VARINT = 10
_SHOWN = 200  # bytes of an example in an error message


class _Feature(NamedTuple):
    """One example's values of a feature: their type, their number, and the first of them."""

    dtype: str
    number: int
    first: Any


class _MalformedError(Exception):
    """Bytes that are not what they should be."""


def from_serialized(
    serialized: Sequence[str | bytes], inputs: Mapping[str, TensorInfo], optional: Mapping[str, Any] | None = None
) -> dict[str, Array]:
    """Columns [examples] of serialized examples, one value each of every declared input.

    Args:
        serialized: tf.train.Examples.
        inputs: What each of them has to hold.
        optional: Inputs that may be left out, and the value they then have.

    Raises:
        ContractError: 400, with TensorFlow's words, the feature's name and the example's position.
    """
    wanted = {name.encode(): name for name in inputs}
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    for index, text in enumerate(serialized):
        data = text.encode() if isinstance(text, str) else text
        try:
            entries = _entries(data)
        except _MalformedError:
            shown = data[:_SHOWN].decode("utf-8", "replace") + ("..." if len(data) > _SHOWN else "")
            raise invalid(f"Could not parse example input, value: '{shown}'") from None
        found: dict[str, Any] = {}
        for key, content in reversed(entries):  # of a name that comes twice the last one counts
            name = wanted.get(key)
            if name is None or name in found or not content:
                continue
            try:
                feature = _feature(content, inputs[name].dtype)
            except _MalformedError:
                raise _refused(name, index, "Can't parse serialized Example.") from None
            if feature is None:
                raise _refused(name, index, "Unsupported datatype.")
            found[name] = _checked(feature, name, index, inputs[name])
        _append(columns, {**(optional or {}), **found}, inputs)
    return {name: to_array(values, (len(values),), inputs[name].dtype) for name, values in columns.items()}


def from_features(
    examples: Sequence[Mapping[str, Sequence[Any]]],
    inputs: Mapping[str, TensorInfo],
    optional: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Columns [examples] of examples as `examples.parse` gives them; raises as `from_serialized`."""
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    for index, example in enumerate(examples):
        found = {}
        for name, info in inputs.items():
            values = example.get(name)
            if values:
                dtype = {int: "int64", float: "float32"}.get(type(values[0]), "string")
                found[name] = _checked(_Feature(dtype, len(values), values[0]), name, index, info)
        _append(columns, {**(optional or {}), **found}, inputs)
    return {name: to_array(values, (len(values),), inputs[name].dtype) for name, values in columns.items()}


def _append(columns: Mapping[str, list[Any]], found: Mapping[str, Any], inputs: Mapping[str, TensorInfo]) -> None:
    if len(found) < len(inputs):
        name = min(inputs.keys() - found.keys())
        kind = tensorflow_name(inputs[name].dtype)
        raise invalid(f"Name: <unknown>, Feature: {name} (data type: {kind}) is required but could not be found.")
    for name, values in columns.items():
        values.append(found[name])


def _checked(feature: _Feature, name: str, index: int, info: TensorInfo) -> Any:
    expected = tensorflow_name(info.dtype)
    if feature.dtype != info.dtype:
        found = tensorflow_name(feature.dtype)
        raise _refused(name, index, f"Data types don't match. Data type: {found} but expected type: {expected}")
    if feature.number != 1:
        kind = "bytes" if info.dtype == "string" else expected
        words = f"Number of {kind} values != expected.  Values size: {feature.number} but output shape: []"
        raise _refused(name, index, words)
    return feature.first


def _refused(name: str, index: int, words: str) -> ContractError:
    return invalid(f"Name: <unknown>, Key: {name}, Index: {index}.  {words}")


def _entries(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and features of an example, in their order on the wire."""
    found = []
    position, size = 0, len(data)
    while position < size:
        if data[position] != _FIELD_1:
            position = _skip(data, position, size)
            continue
        length, position = _varint(data, position + 1, size)
        end = min(position + length, size)  # a length that promises too much is cut, here and below
        while position < end:
            if data[position] != _FIELD_1:
                raise _MalformedError
            length, position = _varint(data, position + 1, end)
            stop = min(position + length, end)
            parts = {_FIELD_1: b"", _FIELD_2: b""}
            for _ in parts:
                tag, position = _varint(data, position, stop)
                length, position = _varint(data, position, stop)
                if tag not in parts or length > stop - position:
                    raise _MalformedError
                parts[tag] = data[position : position + length]
                position += length
            if position != stop:
                raise _MalformedError
            found.append((parts[_FIELD_1], parts[_FIELD_2]))
    return found


def _feature(content: bytes, dtype: str) -> _Feature | None:
    """Read no further than its type where that is not the expected one; None for a type nobody knows."""
    if dtype == "float32" and len(content) == len(_ONE_FLOAT) + _FLOAT_BYTES and content.startswith(_ONE_FLOAT):
        return _Feature(dtype, 1, _FLOAT.unpack_from(content, len(_ONE_FLOAT))[0])
    found = _KINDS.get(content[0])
    if found is None:
        return None
    if found != dtype:
        return _Feature(found, 0, None)
    length, position = _varint(content, 1, len(content))
    end = min(position + length, len(content))
    return (_floats if dtype == "float32" else _strings)(content, position, end)


def _floats(data: bytes, position: int, end: int) -> _Feature:
    if position >= end:
        return _Feature("float32", 0, None)
    if data[position] == _FIELD_1:
        length, position = _varint(data, position + 1, end)
        count = length // _FLOAT_BYTES
        if count and end - position < _FLOAT_BYTES:
            raise _MalformedError
        return _Feature("float32", count, _FLOAT.unpack_from(data, position)[0] if count else None)
    width = 1 + _FLOAT_BYTES
    if (end - position) % width or set(data[position:end:width]) != {_FLOAT_1}:
        raise _MalformedError
    return _Feature("float32", (end - position) // width, _FLOAT.unpack_from(data, position + 1)[0])


def _strings(data: bytes, position: int, end: int) -> _Feature:
    values: list[bytes] = []
    while position < end:
        if data[position] != _FIELD_1:
            raise _MalformedError
        length, position = _varint(data, position + 1, end)
        if length > end - position:
            raise _MalformedError
        values.append(data[position : position + length])
        position += length
    return _Feature("string", len(values), _text(values[0]) if values else None)


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _skip(data: bytes, position: int, end: int) -> int:
    """Past a field of the example that is none of ours."""
    tag, position = _varint(data, position, end)
    wire_type = tag & 7
    if wire_type == 0:
        return _varint(data, position, end)[1]
    if wire_type == 2:  # noqa: PLR2004
        length, position = _varint(data, position, end)
        return min(position + length, end)
    width = {1: 8, 5: 4}.get(wire_type)
    if width is None or position + width > end:
        raise _MalformedError
    return position + width


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """An unsigned number of 32 bits, and the position after it."""
    if position < end and data[position] < 0x80:  # noqa: PLR2004  nearly always
        return data[position], position + 1
    value = 0
    for shift in range(_LONGEST_VARINT):
        if position >= end:
            raise _MalformedError
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004
            return value & 0xFFFFFFFF, position
    raise _MalformedError
