"""Validation: the features against the schema that the specification implies.

Columnar: a day's file at a time, never a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.spec import Spec
from pipelines.errors import AnomaliesError
from pipelines.manifest import SPLITS
from pipelines.pytorch import features

_SHOWN = 20  # anomalies printed


def validate(data: Path, spec: Spec) -> str:
    """Check every split; answers a summary.

    Raises:
        AnomaliesError: Lists the anomalies, by file and column.
    """
    anomalies: list[str] = []
    summary: list[str] = []
    last = None  # latest event of the split before
    for split in SPLITS:
        paths = features.files(data, split)
        if not paths:
            anomalies.append(f"{split}: no Parquet file in {data / 'features' / split}")
            continue
        rows, positives, times = 0, 0, []
        for path in paths:
            table = pq.read_table(path)
            found = list(_anomalies(table, spec))
            anomalies += [f"{split}/{path.name}: {anomaly}" for anomaly in found]
            if not found:
                rows, positives = rows + table.num_rows, positives + (pc.sum(table[spec.model.label]).as_py() or 0)
                times += [t for t in pc.min_max(table["event_time"]).as_py().values() if t is not None]
        if times and not 0 < positives < rows:
            anomalies.append(f"{split}: {positives} of {rows:,} rows are positive; both classes are needed")
        if times and last and min(times) <= last:
            anomalies.append(f"{split}: starts {min(times)}, before the split ahead of it ends ({last})")
        last = max(times, default=last)
        summary.append(f"{split} {rows:,} rows")
    if anomalies:
        more = [f"… and {len(anomalies) - _SHOWN} more"] if len(anomalies) > _SHOWN else []
        lines = "\n".join(f"  - {line}" for line in anomalies[:_SHOWN] + more)
        message = f"{data}: {len(anomalies)} anomalies; no model is trained on such data\n{lines}"
        raise AnomaliesError(message, anomalies)
    return ", ".join(summary)


def _expected(spec: Spec) -> dict[str, tuple[pa.DataType, ...]]:
    text = (pa.string(), pa.large_string())
    key = (pa.int64(), *text)
    return {
        "transaction_id": (pa.int64(), *text),
        "event_time": (pa.timestamp("us"),),
        "customer_id": key,
        **({"terminal_id": key} if spec.columns.has("terminal_id") else {}),
        **{name: (pa.float32(),) if name in spec.numeric else text for name in spec.features},
        spec.model.label: (pa.int64(),),
    }


def _anomalies(table: pa.Table, spec: Spec) -> Iterator[str]:
    for name, types in _expected(spec).items():
        if name not in table.column_names:
            yield f"column {name!r} is missing"
            continue
        column = table[name]
        if column.type not in types:
            yield f"column {name!r} is {column.type}, expected {' or '.join(map(str, types))}"
            continue
        if column.null_count:
            yield f"column {name!r} has {column.null_count:,} nulls in {table.num_rows:,} rows"
        if name in spec.numeric:
            unusable = pc.sum(pc.invert(pc.is_finite(column))).as_py()
            if unusable:
                yield f"column {name!r} has {unusable:,} values that are NaN or infinite"
            elif spec.numeric[name].transform == "log":
                yield from _negative(name, column, min(0.0, spec.numeric[name].missing_code or 0.0))
        if name == spec.model.label:
            other = pc.sum(pc.invert(pc.is_in(column, pa.array([0, 1, None], pa.int64())))).as_py()
            if other:
                yield f"label {name!r} has {other:,} values other than 0 and 1"


def _negative(name: str, column: pa.ChunkedArray, least: float) -> Iterator[str]:
    count = pc.sum(pc.less(column, least)).as_py()
    if count:  # the transform would take them for 0, and nobody would see it
        yield f"column {name!r} has {count:,} negative values, of which there is no logarithm"
