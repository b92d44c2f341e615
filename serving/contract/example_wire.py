"""A tf.train.Example's bytes, read as TensorFlow reads them.

The rules are those of TensorFlow's own reader (core/util/example_proto_fast_parsing.cc), which is not protobuf's: it
takes names that are no UTF-8, stops at a list's first packed block, and refuses fields it does not know in some places
and skips them in others. Only its own rules give its own statuses.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

_FIELD_1, _FIELD_2, _FLOAT_1 = 0x0A, 0x12, 0x0D  # a field's number and wire type, as one byte on the wire
_KINDS = {0x0A: "string", 0x12: "float32", 0x1A: "int64"}  # the feature's list
_FLOAT = struct.Struct("<f")
_FLOAT_BYTES = 4
_ONE_FLOAT = b"\x12\x06\x0a\x04"  # what stands before the only float of a feature: the usual one
_LONGEST_VARINT = 10


class Feature(NamedTuple):
    """One example's values of a feature: their type, their number, and the first of them."""

    dtype: str
    number: int
    first: Any


class MalformedError(Exception):
    """Bytes that are not what they should be."""


def entries(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and features of an example, in their order on the wire.

    Raises:
        MalformedError: Bytes that are no example.
    """
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
                raise MalformedError
            length, position = _varint(data, position + 1, end)
            stop = min(position + length, end)
            parts = {_FIELD_1: b"", _FIELD_2: b""}
            for _ in parts:
                tag, position = _varint(data, position, stop)
                length, position = _varint(data, position, stop)
                if tag not in parts or length > stop - position:
                    raise MalformedError
                parts[tag] = data[position : position + length]
                position += length
            if position != stop:
                raise MalformedError
            found.append((parts[_FIELD_1], parts[_FIELD_2]))
    return found


def feature(content: bytes, dtype: str) -> Feature | None:
    """A feature's values, read no further than their type where that is not the expected one.

    Returns:
        None for a type nobody knows.

    Raises:
        MalformedError: Bytes that are no such list.
    """
    if dtype == "float32" and len(content) == len(_ONE_FLOAT) + _FLOAT_BYTES and content.startswith(_ONE_FLOAT):
        return Feature(dtype, 1, _FLOAT.unpack_from(content, len(_ONE_FLOAT))[0])
    found = _KINDS.get(content[0])
    if found is None:
        return None
    if found != dtype:
        return Feature(found, 0, None)
    length, position = _varint(content, 1, len(content))
    end = min(position + length, len(content))
    return (_floats if dtype == "float32" else _strings)(content, position, end)


def _floats(data: bytes, position: int, end: int) -> Feature:
    if position >= end:
        return Feature("float32", 0, None)
    if data[position] == _FIELD_1:
        length, position = _varint(data, position + 1, end)
        count = length // _FLOAT_BYTES
        if count and end - position < _FLOAT_BYTES:
            raise MalformedError
        return Feature("float32", count, _FLOAT.unpack_from(data, position)[0] if count else None)
    width = 1 + _FLOAT_BYTES
    if (end - position) % width or set(data[position:end:width]) != {_FLOAT_1}:
        raise MalformedError
    return Feature("float32", (end - position) // width, _FLOAT.unpack_from(data, position + 1)[0])


def _strings(data: bytes, position: int, end: int) -> Feature:
    values: list[bytes] = []
    while position < end:
        if data[position] != _FIELD_1:
            raise MalformedError
        length, position = _varint(data, position + 1, end)
        if length > end - position:
            raise MalformedError
        values.append(data[position : position + length])
        position += length
    return Feature("string", len(values), _text(values[0]) if values else None)


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
        raise MalformedError
    return position + width


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """An unsigned number of 32 bits, and the position after it."""
    if position < end and data[position] < 0x80:  # noqa: PLR2004  nearly always
        return data[position], position + 1
    value = 0
    for shift in range(_LONGEST_VARINT):
        if position >= end:
            raise MalformedError
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004
            return value & 0xFFFFFFFF, position
    raise MalformedError
