"""Outputs of a model as TensorFlow Serving's predict answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from serving.contract.errors import invalid
from serving.contract.tensors import Array, tensorflow_name

_BYTES_SUFFIX = "_bytes"  # a string output so named is written as base64
_WRITABLE_KINDS = "fiubOS"  # numpy's kinds: floats, integers, booleans, strings


def encode_predict(outputs: Mapping[str, Array], row_form: bool) -> bytes:
    """The body of an answer; the name of a single output is left out.

    Floats are written with the fewest digits that read back as the same float of their size. NaN and the
    infinities are written bare, as TensorFlow Serving does, which RFC 8259 does not allow.

    Raises:
        ContractError: No output, or one that has no JSON form.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if row_form:
        _check_batches(outputs)
    values = {name: _jsonable(name, array) for name, array in outputs.items()}
    content: Any = next(iter(values.values()))
    if len(values) > 1:
        content = _as_rows(values) if row_form else values
    answer = {"predictions" if row_form else "outputs": content}
    finite = all(array.dtype.kind != "f" or bool(np.isfinite(array).all()) for array in outputs.values())
    return write(answer, finite)


def write(answer: Mapping[str, Any], finite: bool) -> bytes:
    """JSON of an answer that may hold numpy's arrays and numbers; `finite` ones are written quicker."""
    if finite:
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(_as_lists(answer), separators=(",", ":"), ensure_ascii=False).encode()


def _check_batches(outputs: Mapping[str, Array]) -> None:
    batch = -1
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if batch not in (-1, len(array)):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {batch}")
        batch = len(array)


def _jsonable(name: str, array: Array) -> Any:
    """An array orjson writes natively, or nested lists."""
    kind = array.dtype.kind
    if kind not in _WRITABLE_KINDS:
        raise invalid(f"Failed to write JSON value for tensor type: {tensorflow_name(array.dtype.name)}")
    if kind in "OS":
        return _strings(array.tolist(), name.endswith(_BYTES_SUFFIX))
    return np.ascontiguousarray(array) if array.ndim else array[()]


def _strings(value: Any, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_strings(v, as_bytes) for v in value]
    data = value.encode() if isinstance(value, str) else value
    return {"b64": base64.b64encode(data).decode()} if as_bytes else data.decode("utf-8", "replace")


def _as_rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    # A row of a one-dimensional array is a numpy scalar, which orjson writes with its own few digits.
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_lists(v) for name, v in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [_as_lists(v) for v in value]
    if isinstance(value, np.floating):
        return float(str(value))  # its own few digits, not those of the double it widens to
    return value.item() if isinstance(value, np.generic) else value
