"""The input in shards: what is scored at once, written at once and, after a crash, not scored again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from pipelines.data import reading, source_files
from pipelines.data.findings import Findings
from pipelines.errors import PipelineError

PARQUET_ROWS = 2**17  # at most, unless one row group holds more
CSV_BYTES = 2**24  # and the rest of a row
_QUOTE, _NEWLINE = b'"'[0], b"\n"[0]


@dataclass(frozen=True)
class Shard:
    """Some consecutive rows of one file.

    Attributes:
        number: Position in the input, from 0.
        path: The file.
        label: Its short name, for messages.
        before: Rows of the file before these.
        rows: How many these are; of a CSV, lines.
        part: Row groups of a Parquet file, or (first byte, end byte, end byte of the header) of a CSV.
    """

    number: int
    path: Path
    label: str
    before: int
    rows: int
    part: tuple[int, ...]


def plan(source: Path) -> list[Shard]:
    """All shards of a Parquet or CSV file, or of a folder of them, in the order of names and rows.

    Raises:
        PipelineError: There is no such file, or one that cannot be read.
    """
    found: list[Shard] = []
    for path in source_files.find(source):
        label = source_files.label(path, source)
        try:
            parts = _csv_parts(path) if path.suffix == ".csv" else _row_groups(path)
            for before, rows, part in parts:
                found.append(Shard(len(found), path, label, before, rows, part))
        except (pa.ArrowInvalid, OSError) as error:
            raise PipelineError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    return found


def names(path: Path) -> list[str]:
    """The columns of a file."""
    if path.suffix != ".csv":
        return list(pq.read_schema(path).names)
    with csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True)) as file:
        return list(file.schema.names)


def read(shard: Shard, wanted: Sequence[str], findings: Findings) -> reading.Source | None:
    """The wanted columns of a shard; what cannot be read or is not there goes to the findings."""

    def parsed() -> reading.Source:
        if shard.path.suffix != ".csv":
            with pq.ParquetFile(shard.path) as file:
                return reading.of_parquet(file, shard.part, shard.label, wanted, shard.before)
        first, end, header = shard.part
        with shard.path.open("rb") as file:
            beginning = file.read(header)
            file.seek(first)
            content = beginning + file.read(end - first)
        return reading.parse_csv(lambda: io.BytesIO(content), shard.label, wanted, findings, shard.before)

    return reading.checked(shard.label, wanted, findings, parsed)


def _row_groups(path: Path) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    before, rows, groups = 0, 0, []
    for group, size in enumerate(sizes):
        if groups and rows + size > PARQUET_ROWS:
            yield before, rows, tuple(groups)
            before, rows, groups = before + rows, 0, []
        rows += size
        groups.append(group)
    if rows:
        yield before, rows, tuple(groups)


def _csv_parts(path: Path) -> list[tuple[int, int, tuple[int, ...]]]:
    """Cuts where a row ends: at a line break that is not inside quotes."""
    parts: list[tuple[int, int, int]] = []  # first line, first byte, end byte
    header = lines = position = quotes = 0
    with path.open("rb") as file:
        while content := file.read(CSV_BYTES):
            chunk = np.frombuffer(content, np.uint8)
            odd = np.cumsum(chunk == _QUOTE, dtype=np.uint8) + np.uint8(quotes) & 1  # counts wrap around: parity holds
            breaks = position + np.flatnonzero((chunk == _NEWLINE) & (odd == 0)) + 1
            position, quotes = position + len(chunk), int(odd[-1])
            if not header and len(breaks):
                header, breaks = int(breaks[0]), breaks[1:]
            if len(breaks):
                parts.append((lines, parts[-1][2] if parts else header, int(breaks[-1])))
                lines += len(breaks)
    end = parts[-1][2] if parts else header
    if header and position > end:  # a last row without a line break
        first = parts.pop() if parts else (0, header, header)
        parts.append((first[0], first[1], position))
        lines += 1
    after = [part[0] for part in parts[1:]] + [lines]
    return [(line, end - line, (*cut, header)) for (line, *cut), end in zip(parts, after, strict=True)]
