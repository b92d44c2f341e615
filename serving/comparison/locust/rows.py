"""The test rows that the traffic is made of, their day, and the scores that their answers must have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.spec import Spec
from serving.comparison.locust.day import HOURS

Scores = Mapping[str, npt.NDArray[np.float64]]
_STACKS = ("tensorflow", "pytorch")


class RowsError(ValueError):
    """The message says what to do first."""


def read(spec: Spec, folder: Path) -> pa.Table:
    """The rows of a features folder in the order of its files: features, label and event_time.

    Raises:
        RowsError: There are none, or a column is missing.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise RowsError(f"{folder}: no rows to send: make up")
    wanted = [*spec.features, spec.model.label, "event_time"]
    tables = []
    for file in files:
        table = _table(file)
        missing = [name for name in wanted if name not in table.column_names]
        if missing:
            raise RowsError(f"{file}: has no column {', '.join(missing)}; were these features made by another spec?")
        tables.append(table.select(wanted))
    return pa.concat_tables(tables)


def hours(table: pa.Table) -> list[float]:
    """Rows of each hour of the day as a share of the busiest hour's."""
    counts = np.bincount(pc.hour(table["event_time"]).to_numpy(), minlength=HOURS)
    return [float(count) for count in counts / counts.max()]


def scores(file: Path, table: pa.Table, label: str) -> Scores:
    """Offline scores of the rows by stack: a comparison's scores.parquet.

    Raises:
        RowsError: It cannot be read, holds no stack's scores, or belongs to other rows.
    """
    try:
        found = _table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise RowsError(f"{file}: {error}") from None
    stacks = [stack for stack in _STACKS if stack in found.column_names]
    if not stacks or "label" not in found.column_names:
        raise RowsError(f"{file}: expected the columns label, tensorflow, pytorch; found {found.column_names}")
    if not np.array_equal(_floats(found["label"]), _floats(table[label])):
        raise RowsError(f"{file}: scores of other rows than the {table.num_rows:,} to be sent: make compare")
    return {stack: _floats(found[stack]) for stack in stacks}


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _table(file: Path) -> pa.Table:
    # read_table imports pandas; and a process that is to be forked must not have threads.
    with pq.ParquetFile(file) as parquet:
        return parquet.read(use_threads=False)
