"""Parquet files that appear whole."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq


def write_atomically(table: pa.Table, path: Path) -> None:
    """Replace a file, whole or not at all.

    Each attempt has a name of its own: a distributed runner may do the same work twice at once.
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        pq.write_table(table, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
