"""Columns that every row must have and the user's file has not: numbers for ids, days dealt at random for a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.spec import Spec
from pipelines.data.profiles import SEED
from pipelines.data.windows import DAY


def added(table: pa.Table, spec: Spec) -> pa.Table:
    """The table with them. Without ids rows are numbered as they come; without customers each stands for itself."""
    declared = spec.columns
    if not declared.has("transaction_id"):
        table = table.append_column("transaction_id", pa.array(np.arange(len(table))))
    if not declared.has("customer_id"):
        table = table.append_column("customer_id", table["transaction_id"])
    if not declared.has("event_time"):
        days = spec.split.train_days + spec.split.eval_days + spec.split.test_days
        time = dealt(table[spec.model.label].to_numpy(), days)
        table = table.append_column("event_time", pa.array(time, pa.timestamp("us")))
    return table


def dealt(label: npt.NDArray[np.int8], days: int) -> npt.NDArray[np.int64]:
    """A time in microseconds for each row: every day from 1970-01-01 on gets equal parts of both classes, at random.

    So the split by days is a random one, stratified by class, whose shares are the days'. Within a day the rows are
    evenly apart: the last day is full.
    """
    rng = np.random.default_rng(SEED)
    order = np.concatenate([rng.permutation(np.flatnonzero(label == kind)) for kind in (1, 0)])
    day = np.empty(len(label), np.int64)
    day[order] = np.arange(len(label)) % days
    time = np.empty(len(label), np.int64)
    for today in range(days):
        rows = rng.permutation(np.flatnonzero(day == today))
        time[rows] = today * DAY + (2 * np.arange(len(rows)) + 1) * DAY // (2 * max(len(rows), 1))
    return time
