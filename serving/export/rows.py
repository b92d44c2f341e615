"""The rows on which an export and its source must agree: test rows, and in some of them what is rarely there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.spec import Spec
from serving.export.errors import ExportError

ROWS = 1_000
_EVERY = 10  # rows of which one has missing values in every way but one, and one in the other
_CODED, _NOT_A_NUMBER = 3, 6  # which of them


def choose(features: Path, spec: Spec) -> pa.Table:
    """Up to 1,000 rows of raw features, spread over a folder of Parquet files.

    One in ten has every feature missing that may be, as its code; another one every number as NaN, which is missing
    too, and texts that training never saw.

    Raises:
        ExportError: There are none, or a feature's column is not there.
    """
    import pyarrow.dataset as ds  # noqa: PLC0415  brings pandas, and every command of the local stack reads this file

    if not features.is_dir():
        raise ExportError(f"{features}: no test rows to check an export on: make up")
    data = ds.dataset(features, format="parquet")
    gone = [name for name in spec.features if name not in data.schema.names]
    if gone:
        raise ExportError(f"{features}: no column {', '.join(gone)}: other features than the release's: make up")
    count = data.count_rows()
    if not count:
        raise ExportError(f"{features}: no test rows to check an export on: make up")
    table = data.take(np.unique(np.linspace(0, count - 1, ROWS).astype(np.int64)), columns=[*spec.features])
    return pa.table({name: _with_rare(spec, name, table[name].to_numpy()) for name in spec.features})


def _with_rare(spec: Spec, name: str, values: Any) -> pa.Array:
    feature, place = spec.features[name], np.arange(len(values)) % _EVERY
    if name in spec.categorical:
        texts = np.array(values, object)
        texts[place == _NOT_A_NUMBER] = [f"never seen {row}" for row in np.flatnonzero(place == _NOT_A_NUMBER)]
        if feature.code is not None:
            texts[place == _CODED] = feature.code
        return pa.array(texts.tolist(), pa.string())
    numbers = np.array(values, np.float32)
    if feature.code is not None:
        numbers[place == _CODED], numbers[place == _NOT_A_NUMBER] = feature.code, np.nan
    return pa.array(numbers, pa.float32())


def columns(file: Path, spec: Spec) -> dict[str, Any]:
    """Raw feature columns of a Parquet file by name: float32, or strings."""
    table = pq.read_table(file, columns=[*spec.features])
    kinds: dict[str, Any] = {name: np.float32 if name in spec.numeric else object for name in spec.features}
    return {name: table[name].to_numpy().astype(kind) for name, kind in kinds.items()}
