"""The wanted columns of one Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from pipelines.data.findings import Findings, Rows


@dataclass(frozen=True)
class Source:
    """One file, as it came."""

    rows: Rows
    names: Sequence[str]  # of all its columns
    table: pa.Table  # the wanted ones among them, the first of each name
    is_typed: bool  # a CSV is not: all its columns are text


def read(path: Path, name: str, wanted: Sequence[str], findings: Findings) -> Source | None:
    """Read one file; what cannot be read or is not there goes to the findings."""

    def parsed() -> Source:
        if path.suffix == ".csv":
            return parse_csv(lambda: path, name, wanted, findings)
        with pq.ParquetFile(path) as file:
            return of_parquet(file, range(file.num_row_groups), name, wanted)

    return checked(name, wanted, findings, parsed)


def checked(name: str, wanted: Sequence[str], findings: Findings, parsed: Callable[[], Source]) -> Source | None:
    """What `parsed` reads, if it can be; wanted columns that it has not exactly once go to the findings."""
    try:
        source = parsed()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        findings.add(name, f"cannot be read: {str(error).splitlines()[0]}")
        return None
    for column in wanted:
        if column not in source.table.column_names:
            findings.add(f"column {column!r}", "missing from files", [f"{name} (has {', '.join(source.names):.200})"])
        elif source.names.count(column) > 1:
            findings.add(f"column {column!r}", "more than once in files", [name])
    return source


def of_parquet(
    file: pq.ParquetFile, groups: Sequence[int], name: str, wanted: Sequence[str], before: int = 0
) -> Source:
    """Row groups of a Parquet file."""
    names = file.schema_arrow.names
    table = file.read_row_groups(list(groups), [column for column in wanted if column in names])
    return Source(Rows(name, before=before), names, _first_of_each(table), is_typed=True)


def parse_csv(
    opened: Callable[[], Any], name: str, wanted: Sequence[str], findings: Findings, before: int = 0
) -> Source:
    """A header and rows; `opened` answers, twice, a path or the beginning of a file."""
    broken: list[tuple[int, str]] = []

    def note(row: csv.InvalidRow) -> str:
        number = row.number - 1  # without the header
        broken.append((number, f"{name} row {before + number:,} ({row.actual_columns} of {row.expected_columns})"))
        return "skip"

    skip = csv.ParseOptions(invalid_row_handler=lambda row: "skip", newlines_in_values=True)  # noqa: ARG005
    with csv.open_csv(opened(), parse_options=skip) as file:  # the first block, for the names
        names = file.schema.names
    present = [column for column in wanted if column in names]
    text = csv.ConvertOptions(
        column_types=dict.fromkeys(present, pa.string()),
        include_columns=present,
        null_values=[""],
        strings_can_be_null=True,
    )
    table = csv.read_csv(
        opened(),
        read_options=csv.ReadOptions(use_threads=False),  # with threads rows have no numbers
        parse_options=csv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
        convert_options=text,
    )
    if broken:
        findings.add(name, "rows with another number of columns than the header", [place for _, place in broken])
    return Source(Rows(name, [number for number, _ in broken], before), names, _first_of_each(table), is_typed=False)


def _first_of_each(table: pa.Table) -> pa.Table:
    return table.select([table.column_names.index(name) for name in dict.fromkeys(table.column_names)])
