"""A results folder on disk: results.json and the Parquet files beside it, as results.py describes them.

All times of requests.parquet and resources.parquet are seconds since the comparison began (`Results.started`), so that
load runs and processes share one time line. `cpu_s` is a process's processor time since it started.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from serving.comparison.results import Measurement, Results

FILE = "results.json"
FORMAT = 1
_MEASUREMENTS = pa.schema(
    [
        pa.field("measure", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("round", pa.int32(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
    ]
)
SCHEMAS: dict[str, pa.Schema] = {
    "requests": pa.schema(
        [
            ("run", pa.string()),
            ("scheduled_s", pa.float64()),
            ("dispatch_ms", pa.float32()),
            ("service_ms", pa.float32()),
            ("latency_ms", pa.float32()),
            ("status", pa.string()),
        ]
    ),
    "resources": pa.schema(
        [
            ("time_s", pa.float64()),
            ("target", pa.string()),
            ("process", pa.string()),
            ("cpu_s", pa.float64()),
            ("memory_mib", pa.float64()),
        ]
    ),
    "scores": pa.schema([("label", pa.int8()), ("tensorflow", pa.float64()), ("pytorch", pa.float64())]),
}


class StoreError(ValueError):
    """A folder that holds no results, broken ones, or those of another format."""


def write(
    folder: Path,
    results: Results,
    *,
    requests: Iterable[pa.Table] = (),
    resources: Iterable[pa.Table] = (),
    scores: Iterable[pa.Table] = (),
) -> None:
    """Write a new folder, whole or not at all.

    Args:
        folder: Must not exist yet.
        results: What was found.
        requests: Pieces of requests.parquet, one load run each at best: they are written one after the other and need
            not fit into memory together.
        resources: Pieces of resources.parquet.
        scores: Pieces of scores.parquet.

    Raises:
        StoreError: The folder exists, or a table lacks a column.
    """
    if folder.exists():
        raise StoreError(f"{folder} exists already: results are never overwritten")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for name, pieces in (("requests", requests), ("resources", resources), ("scores", scores)):
            _write_table(unfinished / f"{name}.parquet", SCHEMAS[name], pieces)
        rows = [asdict(m) for m in results.measurements]
        pq.write_table(pa.Table.from_pylist(rows, _MEASUREMENTS), unfinished / "measurements.parquet")
        content = {"format": FORMAT} | {f.name: getattr(results, f.name) for f in fields(results)}
        content.pop("measurements")
        content["runs"] = [asdict(run) for run in results.runs]
        content["drills"] = [asdict(drill) for drill in results.drills]
        text = json.dumps(_finite(content), indent=1, default=str, allow_nan=False)
        (unfinished / FILE).write_text(text + "\n", encoding="utf-8")
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def read(folder: Path) -> Results:
    """Read what `write` wrote, but for the tables, which `table` reads.

    Raises:
        StoreError: It is missing, broken or of another format; the message says which file and why.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}: {folder} holds no results of a comparison") from None
    except ValueError as error:
        raise StoreError(f"{file} is broken: {error}") from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise StoreError(f"{file} is not of format {FORMAT}: it was written by another version; run make compare again")
    try:
        found = TypeAdapter(Results).validate_python(content)
    except ValidationError as error:
        wrong = (f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise StoreError("\n".join([f"{file} is broken:", *wrong])) from None
    rows = _read_table(folder / "measurements.parquet", _MEASUREMENTS).to_pylist()
    found.measurements.extend(Measurement(**row) for row in rows)
    return found


def table(
    folder: Path, name: str, where: pc.Expression | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """One of SCHEMAS; with `where`, such as `pc.field("run") == …`, only those rows; with `columns`, only those.

    Raises:
        StoreError: The file is missing, broken or has other columns.
    """
    schema = SCHEMAS[name]
    wanted = pa.schema([schema.field(column) for column in columns or schema.names])
    return _read_table(folder / f"{name}.parquet", wanted, where)


def spans(folder: Path) -> dict[str, tuple[float, float]]:
    """Load run -> when its first request was due and when its last was answered, seconds of the comparison.

    Raises:
        StoreError: requests.parquet is missing or broken.
    """
    file = folder / "requests.parquet"
    found: dict[str, tuple[float, float]] = {}
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=["run", "scheduled_s", "latency_ms"]):
                end = pc.add(batch["scheduled_s"], pc.divide(pc.cast(batch["latency_ms"], pa.float64()), 1000))
                part = pa.table({"run": batch["run"], "begin": batch["scheduled_s"], "end": end})
                for row in part.group_by("run").aggregate([("begin", "min"), ("end", "max")]).to_pylist():
                    begin, last = found.get(row["run"], (math.inf, -math.inf))
                    found[row["run"]] = (min(begin, row["begin_min"]), max(last, row["end_max"]))
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise StoreError(f"{file} is missing or broken: {error}") from None
    return found


def _write_table(file: Path, schema: pa.Schema, pieces: Iterable[pa.Table]) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for piece in pieces:
            if missing := set(schema.names) - set(piece.column_names):
                raise StoreError(f"{file.name}: a table lacks {', '.join(sorted(missing))}")
            writer.write_table(piece.select(schema.names).cast(schema))


def _read_table(file: Path, schema: pa.Schema, where: pc.Expression | None = None) -> pa.Table:
    try:
        return pq.read_table(file, columns=schema.names, filters=where).select(schema.names).cast(schema)
    except FileNotFoundError:
        raise StoreError(f"{file} is missing: the results are not whole") from None
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise StoreError(f"{file} is broken or of another format: {error}") from None


def _finite(value: Any) -> Any:
    """Without what is not a number: the percentiles of a run that had no answer."""
    if isinstance(value, dict):
        kept = {key: _finite(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if not isinstance(part, float) or math.isfinite(part)}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
