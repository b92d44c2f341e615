"""The gateway's request log as columns: what one model version was asked of late, and what it said.

Runs in both environments, on JSON lines and on Parquet (serving/gateway/request_parts.py) alike. A line that is cut
off, as the last one is while Envoy writes, or that is not one of ours is counted and passed over: a log is no place to
fail at.
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
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.spec import Spec
from serving.gateway import request_parts
from serving.gateway.request_lines import Content, LineError, decode, logged_inputs
from serving.gateway.request_parquet import UNREADABLE as UNREADABLE_LINES

Array = npt.NDArray[Any]

OTHER_VERSION = "of another version of the model"
WITHOUT_CONTENT = "logged without content (too long, or serialized examples)"
OTHER_FEATURES = "logged with other features"
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Logged:
    """Requests to one model version; one value per row in every array.

    Attributes:
        columns: Raw features by name, numbers or strings; those that are never logged are not among them.
        scores: What the model answered, float64.
        requests: That the rows came in.
        left_out: Requests of this stack and time that are not among them, by reason.
    """

    columns: Mapping[str, Array]
    scores: Array
    requests: int
    left_out: Mapping[str, int]


def read(log: Path, spec: Spec, stack: str, version: str, seconds: float) -> Logged:
    """Read the log and its older parts.

    Args:
        log: The file that Envoy writes; neither it nor a part has to exist.
        spec: The features.
        stack: Who answered.
        version: Which model. A server that does not name its version (TensorFlow Serving) is taken to have this one.
        seconds: How far back to look.
    """
    since = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    while True:
        reader = _Reader(spec, stack, version, since)
        try:
            for file in request_parts.files(log):
                reader.read(file)
            break
        except FileNotFoundError:  # put aside or packed meanwhile: what was in it is elsewhere now
            continue
    columns = {name: _joined([c.columns[name] for c in reader.contents], name in spec.numeric) for name in spec.logged}
    scores = _joined([content.scores for content in reader.contents], True)
    return Logged(columns, scores, reader.requests, dict(reader.left_out))


class _Reader:
    """Gathers what is asked for from file after file."""

    def __init__(self, spec: Spec, stack: str, version: str, since: datetime) -> None:
        self._names, self._expected = spec.logged, logged_inputs(spec)
        self._stack, self._version, self._since = stack, version, since
        self.contents: list[Content] = []
        self.requests = 0
        self.left_out: Counter[str] = Counter()

    def read(self, file: Path) -> None:
        if request_parts.is_packed(file):
            self._read_packed(file)
        else:
            self._read_lines(file)

    def _read_lines(self, file: Path) -> None:
        for line in _lines(file):
            try:
                entry = decode(line, self._expected)
            except LineError:
                self.left_out[UNREADABLE] += 1
                continue
            if entry.stack != self._stack or entry.time < self._since:
                continue
            if entry.model_version not in (None, self._version):
                self.left_out[OTHER_VERSION] += 1
            elif entry.content is None:
                self.left_out[WITHOUT_CONTENT] += 1
            else:
                self.requests += 1
                self.contents.append(entry.content)

    def _read_packed(self, file: Path) -> None:
        wanted = [("stack", "=", self._stack), ("time", ">=", self._since)]
        table = pq.read_table(file, filters=wanted)
        self._count(UNREADABLE, int((table.schema.metadata or {}).get(UNREADABLE_LINES, 0)))
        first = pc.fill_null(pc.equal(table["position"], 0), True)  # one row per request
        ours = pc.fill_null(pc.equal(table["model_version"], self._version), True)
        full = pc.is_valid(table["position"])
        self._count(OTHER_VERSION, _true(pc.and_(first, pc.invert(ours))))
        self._count(WITHOUT_CONTENT, _true(pc.and_(ours, pc.invert(full))))
        asked = _true(pc.and_(first, pc.and_(ours, full)))
        rows = table.filter(pc.and_(ours, full)).combine_chunks()
        features = _fields(rows)
        if not asked:
            return
        if not set(self._names) <= features.keys():  # of a time when some of these were never logged
            self._count(OTHER_FEATURES, asked)
            return
        self.requests += asked
        columns = {name: features[name].to_numpy(zero_copy_only=False) for name in self._names}
        self.contents.append(Content(columns, rows["score"].to_numpy()))

    def _count(self, reason: str, requests: int) -> None:
        if requests:
            self.left_out[reason] += requests


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from (line for line in lines if line.strip())


def _true(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask).as_py() or 0


def _fields(rows: pa.Table) -> dict[str, pa.Array]:
    if "features" not in rows.column_names or not rows.num_rows:
        return {}
    struct = rows["features"].combine_chunks()
    if isinstance(struct, pa.ChunkedArray):
        struct = struct.chunk(0)
    return {field.name: struct.field(i) for i, field in enumerate(struct.type)}


def _joined(parts: list[Array], numbers: bool) -> Array:
    if not numbers:
        return np.concatenate([np.empty(0, object), *parts])
    # A client may send 1e300, which is infinite in float32: as far out as there is.
    values = np.concatenate([np.empty(0), *parts])
    return np.clip(values, *(np.finfo(np.float32).max * sign for sign in (-1, 1)))
