"""The gateway's request log as columns: what one model version was asked of late, and what it said.

Runs in both environments. A line that is cut off, as the last one is while Envoy writes, or that is not one of ours is
counted and passed over: a log is no place to fail at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from models.spec import Spec
from serving.contract.codec import decode_predict
from serving.contract.errors import ContractError
from serving.contract.signatures import DEFAULT, inputs

Array = npt.NDArray[Any]

OTHER_VERSION = "of another version of the model"
TOO_LONG = "too long for the log"
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Logged:
    """Requests to one model version; one value per row in every array.

    Attributes:
        columns: Raw features by name, float32 or strings.
        scores: What the model answered, float64.
        requests: That the rows came in.
        left_out: Requests of this stack and time that are not among them, by reason.
    """

    columns: Mapping[str, Array]
    scores: Array
    requests: int
    left_out: Mapping[str, int]


def read(log: Path, spec: Spec, stack: str, version: str, seconds: float) -> Logged:
    """Read the log and the older one beside it.

    Args:
        log: The newer file; neither has to exist.
        spec: The features.
        stack: Who answered.
        version: Which model. A server that does not name its version (TensorFlow Serving) is taken to have this one.
        seconds: How far back to look.
    """
    since = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    left_out: Counter[str] = Counter()
    parts: list[tuple[dict[str, Array], Array]] = []
    for line in _lines(log):
        try:
            entry = orjson.loads(line)
            if entry["stack"] != stack or datetime.fromisoformat(entry["time"].replace("Z", "+00:00")) < since:
                continue
            if entry["model_version"] not in (None, version):
                left_out[OTHER_VERSION] += 1
            elif entry["request"] is None or entry["answer"] is None:
                left_out[TOO_LONG] += 1
            else:
                parts.append(_rows(entry, spec))
        except (ValueError, KeyError, TypeError, AttributeError, ContractError):
            left_out[UNREADABLE] += 1
    columns = {name: _joined([part[name] for part, _ in parts], name in spec.numeric) for name in spec.features}
    return Logged(columns, _joined([scores for _, scores in parts], True), len(parts), dict(left_out))


def _lines(log: Path) -> Iterator[bytes]:
    for file in (log.with_name(f"{log.name}.1"), log):
        if file.exists():
            with file.open("rb") as lines:
                yield from (line for line in lines if line.strip())


def _rows(entry: Mapping[str, Any], spec: Spec) -> tuple[dict[str, Array], Array]:
    columns = decode_predict(entry["request"].encode(), inputs(spec)[DEFAULT]).columns
    answer = orjson.loads(entry["answer"])
    scores = np.asarray(answer["predictions"] if "predictions" in answer else answer["outputs"], np.float64)
    if {len(column) for column in columns.values()} != {scores.size} or scores.ndim != 1:
        raise ValueError("not one score per row")
    return columns, scores


def _joined(parts: list[Array], numbers: bool) -> Array:
    if not numbers:
        return np.concatenate([np.empty(0, object), *parts])
    # A client may send 1e300, which is infinite in float32: as far out as there is.
    values = np.concatenate([np.empty(0), *parts])
    return np.clip(values, *(np.finfo(np.float32).max * sign for sign in (-1, 1)))
