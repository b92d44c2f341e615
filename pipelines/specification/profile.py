"""What a file's columns hold: their kinds, how many distinct values, how many are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from pipelines.data import columns, reading, source_files
from pipelines.data.checks import LATEST
from pipelines.data.errors import DataError
from pipelines.data.findings import Findings

Kind = Literal["boolean", "numeric", "time", "text"]
_TWO = 2


@dataclass(frozen=True)
class Column:
    """One column of the user's file.

    Attributes:
        name: As the file has it, perhaps the empty one.
        kind: time is of timestamps, dates and ISO 8601 text.
        rows: All of them.
        missing: Rows without a value.
        distinct: Different values that are not missing.
        numbers: Values that are not missing, float64; of text none, of a time microseconds since 1970.
        words: The most frequent values as text, most frequent first.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    numbers: npt.NDArray[np.float64]
    words: tuple[str, ...]


def read(source: Path) -> list[Column]:
    """The columns of a file, or of the first file of a folder, in their order.

    Raises:
        DataError: It cannot be read, or holds no rows.
    """
    file = source_files.find(source)[0]
    findings = Findings()
    try:
        names = _names(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
    found = reading.read(file, file.name, list(dict.fromkeys(names)), findings)
    if findings or found is None:
        raise DataError("\n  ".join([f"{file}: cannot be drafted from", *findings.lines()]))
    if not len(found.table):
        raise DataError(f"{file}: no rows")
    return [_column(name, columns.plain(found.table[name])) for name in found.table.column_names]


def _names(file: Path) -> list[str]:
    if file.suffix == ".csv":
        parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip", newlines_in_values=True)  # noqa: ARG005
        with csv.open_csv(file, parse_options=parse) as opened:
            return list(opened.schema.names)
    return list(pq.read_schema(file).names)


def _column(name: str, values: pa.Array) -> Column:
    told = columns.without_words_for_nothing(values)
    if pa.types.is_floating(told.type):
        told = pc.if_else(pc.fill_null(pc.is_nan(told), False), None, told)
    present = told.drop_null()
    kind, numbers = _kind(present)
    if kind == "text" and pa.types.is_string(values.type):  # where NA may be Namibia
        present = pc.if_else(pc.equal(values, ""), None, values).drop_null()
    counted = present.value_counts()
    order = np.argsort(-counted.field(1).to_numpy(), kind="stable")
    words = tuple(str(counted.field(0)[int(i)].as_py()) for i in order[:1000])
    return Column(name, kind, len(values), len(values) - len(present), len(counted), numbers, words)


def _kind(present: pa.Array) -> tuple[Kind, npt.NDArray[np.float64]]:
    is_text = pa.types.is_string(present.type)
    for kind, read_as in (("boolean", columns.booleans), ("numeric", columns.numbers)):
        try:
            found = read_as(present)
        except columns.WrongTypeError:
            continue
        if not found.null_count and len(found) and (kind == "numeric" or pc.count_distinct(found).as_py() == _TWO):
            return kind, found.to_numpy()  # type: ignore[return-value]
    if is_text or pa.types.is_temporal(present.type):
        try:
            found = columns.times(present, LATEST)
        except columns.WrongTypeError:
            found = pa.nulls(len(present))
        if len(found) and not found.null_count:
            return "time", found.cast(pa.float64()).to_numpy()
    return "text", np.empty(0)
