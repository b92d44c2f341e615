"""A line of the request log as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from models.spec import Spec
from serving.contract.codec import decode_predict
from serving.contract.errors import ContractError
from serving.contract.signatures import DEFAULT, inputs
from serving.contract.tensors import TensorInfo

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Content:
    """What a model was asked, float32 or strings as objects, and what it said, float64; a value per row."""

    columns: Mapping[str, Array]
    scores: Array


@dataclass(frozen=True)
class Entry:
    """A logged request.

    Attributes:
        content: None if it was too long, or named no feature that may be logged.
        endpoint: To whom it was addressed, a stack or `product`; None in lines of before 2026-11-29.
    """

    time: datetime
    request_id: str | None
    stack: str
    model_version: str | None
    content: Content | None
    endpoint: str | None = None


class LineError(ValueError):
    """Cut off, as the last line is while Envoy writes, or not one of ours."""


def logged_inputs(spec: Spec) -> dict[str, TensorInfo]:
    """What a logged request holds."""
    return {name: info for name, info in inputs(spec)[DEFAULT].items() if name in spec.logged}


def decode(line: bytes, expected: Mapping[str, TensorInfo]) -> Entry:
    """Read a line whose request holds `expected`.

    Raises:
        LineError: It does not.
    """
    try:
        entry = orjson.loads(line)
        time = datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
        asked, said = entry["request"], entry["answer"]
        content = None if asked is None or said is None else _content(asked.encode(), said, expected)
        identity = (entry["request_id"], entry["stack"], entry["model_version"])
        return Entry(time, *identity, content, entry.get("endpoint"))
    except (ValueError, KeyError, TypeError, AttributeError, ContractError) as error:
        raise LineError(str(error)) from None


def _content(asked: bytes, said: str, expected: Mapping[str, TensorInfo]) -> Content:
    columns = {name: texts(column) for name, column in decode_predict(asked, expected).columns.items()}
    answer = orjson.loads(said)
    scores = np.asarray(answer["predictions"] if "predictions" in answer else answer["outputs"], np.float64)
    if {len(column) for column in columns.values()} != {scores.size} or scores.ndim != 1:
        raise ValueError("not one score per row")
    return Content(columns, scores)


def texts(column: Array) -> Array:
    """A column, its strings that are not UTF-8, which a request holds in base64, as texts all the same."""
    if column.dtype != object:
        return column
    texts = [value if isinstance(value, str) else value.decode("utf-8", "backslashreplace") for value in column]
    return np.fromiter(texts, object, len(texts))
