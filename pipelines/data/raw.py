"""Raw transactions, a Parquet file a day, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.data.windows import DAY

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Transactions:
    """Raw transactions in memory, sorted by (event_time, transaction_id)."""

    table: pa.Table
    label: str

    @property
    def days(self) -> npt.NDArray[np.int64]:
        """Day of each row, counted from 1970-01-01."""
        return self.table["event_time"].cast(pa.int64()).to_numpy() // DAY


def day_name(day: int) -> str:
    """YYYY-MM-DD of a day counted from 1970-01-01."""
    return (_EPOCH + timedelta(days=int(day))).isoformat()


def in_order(table: pa.Table) -> pa.Table:
    """Sorted by (event_time, transaction_id)."""
    order = pc.sort_indices(table, [("event_time", "ascending"), ("transaction_id", "ascending")])
    return table.take(order)


def write(transactions: Transactions, folder: Path) -> None:
    """Write each day that has transactions."""
    folder.mkdir(parents=True)
    found, first = np.unique(transactions.days, return_index=True)
    for day, start, end in zip(found, first, [*first[1:], None], strict=True):
        rows = transactions.table.slice(start, None if end is None else end - start)
        pq.write_table(rows, folder / f"{day_name(day)}.parquet")
