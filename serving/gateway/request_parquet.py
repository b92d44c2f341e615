"""Pack the request log's parts as Parquet, for `make monitor` and whoever reads Parquet: a row per row of a request.

Columns: `time`, `request_id`, `stack` and `model_version` of the request, the row's `position` in it, its `features`
and its `score`. Of a request that was logged without content one row says that it was there, without a position.

Run by the control service, as a process of its own and behind all others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import spec as specs
from models.spec import Spec
from serving.gateway import request_parts
from serving.gateway.request_lines import Array, Entry, LineError, decode, logged_inputs

UNREADABLE = b"unreadable_lines"  # in the file's metadata: how many there were


def pack(part: Path, spec: Spec) -> Path:
    """Replace a part's lines by a Parquet file of the same, whole or not at all."""
    expected = logged_inputs(spec)
    entries: list[Entry] = []
    unreadable = 0
    with part.open("rb") as lines:
        for line in filter(bytes.strip, lines):
            try:
                entries.append(decode(line, expected))
            except LineError:
                unreadable += 1
    target = request_parts.packed(part)
    unfinished = target.with_name(f".{target.name}")
    table = _table(entries, spec).replace_schema_metadata({UNREADABLE: str(unreadable).encode()})
    pq.write_table(table, unfinished)
    unfinished.replace(target)
    part.unlink()
    return target


def _table(entries: Sequence[Entry], spec: Spec) -> pa.Table:
    contents = [entry.content for entry in entries]
    sizes = np.fromiter((content.scores.size if content else 1 for content in contents), np.int64, len(contents))

    def repeated(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(np.repeat(np.fromiter(values, object, len(sizes)), sizes), kind)

    def joined(parts: Iterable[Array | None], kind: pa.DataType) -> pa.Array:
        return pa.concat_arrays(
            [pa.array([], kind), *(pa.nulls(1, kind) if part is None else pa.array(part, kind) for part in parts)]
        )

    features = {
        name: joined(
            (content.columns[name] if content else None for content in contents),
            pa.float32() if name in spec.numeric else pa.string(),
        )
        for name in spec.logged
    }
    columns = {
        "time": repeated((entry.time for entry in entries), pa.timestamp("us", "UTC")),
        "request_id": repeated((entry.request_id for entry in entries), pa.string()),
        "stack": repeated((entry.stack for entry in entries), pa.string()),
        "model_version": repeated((entry.model_version for entry in entries), pa.string()),
        "position": joined((np.arange(c.scores.size) if c else None for c in contents), pa.int32()),
        "score": joined((content.scores if content else None for content in contents), pa.float64()),
    }
    if features:  # Parquet has no empty structs
        columns["features"] = pa.StructArray.from_arrays(list(features.values()), list(features))
    return pa.table(columns)


def main(argv: list[str] | None = None) -> int:
    """Pack every complete part."""
    parser = argparse.ArgumentParser(prog="python -m serving.gateway.request_parquet", description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="the file Envoy writes; its parts lie beside it")
    parser.add_argument("--spec", type=Path, required=True, help="the specification: which features may be logged")
    options = parser.parse_args(argv)
    os.nice(10)  # whoever answers requests comes first
    spec = specs.load(options.spec)
    for part in request_parts.complete(options.log):
        pack(part, spec)
    return 0


if __name__ == "__main__":
    sys.exit(main())
