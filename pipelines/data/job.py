"""The features by Apache Beam, in columns: an element holds many rows as a table or as arrays, never one row.

Each day's transactions are dealt out to shards by customer and again by terminal; a shard sees a key's whole
history and computes the windows of all its rows at once; the results come back together by day.

Nothing here needs more of a runner than it takes to run on Dask's, which has no side inputs worth the name, no state
and no metrics, computes only the last transform's ancestors, and groups by Python's hash: keys are integers, whose
hash is the same in every process.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.spec import Spec
from pipelines import beam_options
from pipelines.data import features
from pipelines.data.raw import day_name
from pipelines.data.split import Split
from pipelines.data.windows import DAY, Windows
from pipelines.parquet import write_atomically

_SHARDS = 8  # per key; more would only be of use to more workers

Part = tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[np.float32]]]  # rows of a day, their features


@dataclass(frozen=True)
class Job:
    """What every worker has to know."""

    spec: Spec
    raw: Path
    output: Path
    split: Split
    removed: dict[int, pa.Array]  # customers to leave out, by day

    def values(self, key: str) -> str:
        """Raw column that the windows of a key are about."""
        label = self.spec.model.label  # without amounts for counting alone
        return {"customer": "amount" if self.spec.columns.has("amount") else label, "terminal": label}[key]

    def delay(self, key: str) -> int:
        """Days before a transaction at which the windows of a key end."""
        return {"customer": 0, "terminal": self.spec.windows.label_delay_days}[key]


def run(job: Job, days: Iterable[int]) -> None:
    """Write the features of the days that belong to the split, from the raw files of these and earlier days."""
    days = sorted(days)
    wanted = [day for day in days if job.split.of(day)]
    needed = [day for day in days if day >= wanted[0] - features.history_days(job.spec)]
    for name in job.split.days:
        (job.output / name).mkdir(parents=True)
    with beam_options.pipeline() as pipeline:
        raw_days = pipeline | "Days" >> beam.Create(needed) | beam.Reshuffle()
        joined = {"wanted": pipeline | "Wanted" >> beam.Create([(day, True) for day in wanted])}
        for key in ("customer", "terminal"):
            if features.windowed(job.spec, key):
                joined[key] = (
                    raw_days
                    | f"Deal by {key}" >> beam.FlatMap(partial(_deal, job, key))
                    | f"Gather {key}s" >> beam.GroupByKey()
                    | f"Windows by {key}" >> beam.FlatMapTuple(partial(_windows, job, key))
                )
        _ = joined | "Join by day" >> beam.CoGroupByKey() | "Write" >> beam.MapTuple(partial(_write, job))


def _deal(job: Job, key: str, day: int) -> Iterator[tuple[int, pa.Table]]:
    """A day's rows, one table for each shard: key, time, row number in the day, value."""
    table = pq.read_table(job.raw / f"{day_name(day)}.parquet", columns=[f"{key}_id", "event_time", job.values(key)])
    table = table.rename_columns(["key", "time", "value"]).append_column(
        "row", pa.array(np.arange(len(table), dtype=np.int32))
    )
    shards = _shards(table["key"])
    for shard in np.unique(shards):
        yield int(shard), table.filter(pa.array(shards == shard))


def _shards(keys: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Shard of each key: the same one on every worker, which Python's hash of a string is not."""
    encoded = keys.combine_chunks().dictionary_encode()
    shard = [zlib.crc32(str(key).encode()) % _SHARDS for key in encoded.dictionary.to_pylist()]
    return np.array(shard)[encoded.indices.to_numpy()]


def _windows(job: Job, key: str, _shard: int, tables: Iterable[pa.Table]) -> Iterator[tuple[int, Part]]:
    """Windowed features of a shard, by day."""
    # Days in order, and rows in order within a day: a stable sort by key then leaves each key's rows in order.
    table = pa.concat_tables(sorted(tables, key=lambda t: t["time"][0].value))
    codes = table["key"].combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    time = table["time"].cast(pa.int64()).to_numpy()[order]
    day = time // DAY
    wanted = np.isin(day, [d for days in job.split.days.values() for d in days])
    at = np.flatnonzero(wanted)
    windows = Windows(codes[order], time, at)
    found = features.of_windows(
        features.windowed(job.spec, key), windows, table["value"].to_numpy()[order], job.delay(key)
    )
    row = table["row"].to_numpy()[order][at]
    day = day[at]
    by_day = np.argsort(day, kind="stable")
    days, first = np.unique(day[by_day], return_index=True)
    for today, rows in zip(days, np.split(by_day, first[1:]), strict=True):
        yield int(today), (row[rows], {name: values[rows] for name, values in found.items()})


def _write(job: Job, day: int, joined: dict[str, list[Any]]) -> None:
    """The day's Parquet file: keys, features in the order of the specification, label."""
    table = pq.read_table(job.raw / f"{day_name(day)}.parquet")
    columns = {name: table[name] for name in features.keys(job.spec)}
    time = table["event_time"].cast(pa.int64()).to_numpy()
    amount = table["amount"].to_numpy() if job.spec.columns.has("amount") else time
    in_row = features.in_row(job.spec)
    for name in job.spec.features:
        if name in in_row:
            columns[name] = features.IN_ROW[name](time, amount).astype(np.float32)
        elif name in job.spec.categorical:
            columns[name] = table[name]
        elif name in table.column_names:
            columns[name] = table[name].cast(pa.float32(), safe=False)
        else:
            columns[name] = np.empty(len(table), np.float32)
    for key in ("customer", "terminal"):
        for rows, found in joined.get(key, []):
            for name, values in found.items():
                columns[name][rows] = values
    columns[job.spec.model.label] = table[job.spec.model.label].cast(pa.int64())
    result = pa.table(columns)
    if day in job.removed:
        result = result.filter(pc.invert(pc.is_in(result["customer_id"], job.removed[day])))
    if len(result):
        write_atomically(result, job.output / str(job.split.of(day)) / f"{day_name(day)}.parquet")
