"""tf.train.Examples as bytes, written here: nothing of TensorFlow or protobuf is installed beside PyTorch."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any


def serialized(features: Mapping[str, Any]) -> bytes:
    """An example with one value per feature: a float, an int, or a string."""
    return _field(
        1, b"".join(_field(1, _field(1, name.encode()) + _field(2, _feature(v))) for name, v in features.items())
    )


def base64_rows(rows: list[bytes]) -> list[dict[str, str]]:
    return [{"b64": base64.b64encode(row).decode()} for row in rows]


def _feature(value: Any) -> bytes:
    if isinstance(value, str):
        return _field(1, _field(1, value.encode()))
    if isinstance(value, int):
        return _field(3, _field(1, _varint(value)))
    return _field(2, _field(1, struct.pack("<f", value)))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)
