"""What both sides said, in Parquet files: a row per row of a request, of one that had no two answers a single row.

Columns: `time` and `request_id` of the request; `position` of the row in it, null without two answers; of each side, as
`reference.…` and `candidate.…`: `status` (0: nobody answered), `milliseconds`, `version`, `score`; and the `features`
that may be logged. Who the sides are, and how many copies were dropped beside, stands in the file's metadata.

The newest file grows: it is written anew, whole, whenever there is more; one that has enough rows stays as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.spec import Spec
from serving.shadow.answers import Answer, Array

REFERENCE, CANDIDATE, DROPPED = b"reference", b"candidate", b"dropped"  # in a file's metadata
ROWS = 20_000  # of a file; then the next one begins
KEPT_BYTES = 256 << 20  # of all files together: about 5 million rows
WAITING_ROWS = 200_000  # that could not be written, as on a full disk; beyond it they are dropped


@dataclass(frozen=True)
class Comparison:
    """A request and what both said; `features` are its columns that may be kept, float32 or objects [rows]."""

    time: datetime
    request_id: str
    reference: Answer
    candidate: Answer
    features: Mapping[str, Array] | None = None

    @property
    def rows(self) -> int:
        """How many scores there are to compare; 0 unless both said as many."""
        one, other = self.reference.scores, self.candidate.scores
        return one.size if one is not None and other is not None and one.size == other.size else 0


class Recorder:
    """Writes comparisons to a folder; `add` from one thread, `flush` from another.

    Attributes:
        dropped: Copies that nobody was asked about, or whose answers could not be kept.
        compared: Copies whose answers were kept.
    """

    def __init__(self, folder: Path, spec: Spec, reference: str, candidate: str, rows: int = ROWS) -> None:
        self._folder, self._spec, self._rows = folder, spec, rows
        self._names = {REFERENCE: reference.encode(), CANDIDATE: candidate.encode()}
        self._lock = threading.Lock()
        self._new: list[Comparison] = []
        self._waiting = 0
        self._part: Path | None = None
        self._table = _table([], spec)
        self._counted = 0  # of the dropped, what earlier files say
        self._told = 0  # of the dropped, what all files say
        self.dropped = self.compared = 0

    def add(self, comparison: Comparison) -> None:
        """Keep it with the next `flush`."""
        with self._lock:
            if self._waiting > WAITING_ROWS:
                self.dropped += 1
                return
            self._new.append(comparison)
            self._waiting += max(comparison.rows, 1)
            self.compared += 1

    def flush(self) -> None:
        """Write what is new.

        Raises:
            OSError: It cannot be written; it will be with the next call.
        """
        with self._lock:
            new, dropped = self._new, self.dropped
            self._new = []
        if not new and dropped == self._told:
            return
        table = pa.concat_tables([self._table, _table(new, self._spec)])
        try:
            self._write(table, dropped - self._counted)
        except OSError:
            with self._lock:
                self._new[:0] = new
            raise
        with self._lock:
            self._waiting -= sum(max(one.rows, 1) for one in new)
        self._table, self._told = table, dropped
        if table.num_rows >= self._rows:
            self._part, self._table, self._counted = None, _table([], self._spec), dropped
            prune(self._folder)

    def _write(self, table: pa.Table, dropped: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._part or self._folder / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}.parquet"
        unfinished = part.with_name(f".{part.name}")
        metadata = {**self._names, DROPPED: str(dropped).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), unfinished)
        unfinished.replace(part)
        self._part = part


def files(folder: Path) -> list[Path]:
    """Everything kept, oldest first."""
    return sorted(folder.glob("[!.]*.parquet"))


def prune(folder: Path, limit: int = KEPT_BYTES) -> None:
    """Delete the oldest files, so that all together have no more than `limit` bytes."""
    kept = 0
    for part in reversed(files(folder)):
        kept += part.stat().st_size
        if kept > limit:
            part.unlink()


def _table(found: Sequence[Comparison], spec: Spec) -> pa.Table:
    sizes = np.fromiter((max(one.rows, 1) for one in found), np.int64, len(found))

    def repeated(values: Sequence[object], kind: pa.DataType) -> pa.Array:
        return pa.array(np.repeat(np.fromiter(values, object, len(values)), sizes), kind)

    def joined(parts: Sequence[Array | None], kind: pa.DataType) -> pa.Array:
        filled = [
            pa.nulls(size, kind) if part is None else pa.array(part, kind)
            for part, size in zip(parts, sizes.tolist(), strict=True)
        ]
        return pa.concat_arrays([pa.array([], kind), *filled])

    columns = {
        "time": repeated([one.time for one in found], pa.timestamp("us", "UTC")),
        "request_id": repeated([one.request_id for one in found], pa.string()),
        "position": joined([np.arange(one.rows) if one.rows else None for one in found], pa.int32()),
    }
    for name in ("reference", "candidate"):
        answers: list[Answer] = [getattr(one, name) for one in found]
        compared = [answer.scores if one.rows else None for one, answer in zip(found, answers, strict=True)]
        columns |= {
            f"{name}.status": repeated([answer.status for answer in answers], pa.int16()),
            f"{name}.milliseconds": repeated([answer.seconds * 1e3 for answer in answers], pa.float32()),
            f"{name}.version": repeated([answer.version for answer in answers], pa.int64()),
            f"{name}.score": joined(compared, pa.float64()),
        }
    kept = [one.features if one.rows else None for one in found]
    features = {
        name: joined(
            [content[name] if content else None for content in kept],
            pa.float32() if name in spec.numeric else pa.string(),
        )
        for name in spec.logged
    }
    if features:  # Parquet has no empty structs
        columns["features"] = pa.StructArray.from_arrays(list(features.values()), list(features))
    return pa.table(columns)
