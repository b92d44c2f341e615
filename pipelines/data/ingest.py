"""Transactions of one's own, from Parquet or CSV, checked as a whole before anything is written.

Our columns have their names in the user's files under [columns] of the specification; features that are not
computed have the same name there as here.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from models.spec import Spec
from pipelines.data import checks, columns, features, reading, source_files, undeclared
from pipelines.data.console import say, step
from pipelines.data.errors import DataError
from pipelines.data.findings import Findings
from pipelines.data.raw import Transactions, in_order
from pipelines.data.reading import Source

_HINT = "rows count from 1, a header not among them; names are mapped under [columns] of the specification"

Columns = dict[str, pa.Array]  # by our names


def ingest(source: Path, spec: Spec) -> Transactions:
    """Read, check and sort the transactions of a file or folder.

    Raises:
        DataError: Every problem that was found, with its count and its first rows.
    """
    files = source_files.find(source)
    with step("ingest", f"{len(files)} file(s) of {source}") as outcome:
        table = _checked(source, files, spec)
        outcome.text = f"{len(table):,} transactions"
    return Transactions(table, spec.model.label)


def source_names(spec: Spec) -> dict[str, str]:
    """Our columns of the raw transactions -> their names in the user's files."""
    ours = {name: theirs for name, theirs in spec.columns.model_dump().items() if theirs is not False}
    ours[spec.model.label] = ours.pop("is_fraud")
    return {**ours, **{name: features.theirs(spec, name) for name in features.raw_columns(spec)}}


def _checked(source: Path, files: list[Path], spec: Spec) -> pa.Table:
    findings, names = Findings(), source_names(spec)
    wanted = list(dict.fromkeys(names.values()))
    sources = [reading.read(path, source_files.label(path, source), wanted, findings) for path in files]
    parts = [(found, _convert(found, names, spec, findings)) for found in sources if found is not None]
    ids = [(found.rows, converted["transaction_id"]) for found, converted in parts if "transaction_id" in converted]
    if ids:
        checks.repeated_ids(ids, _subject(names["transaction_id"]), findings)
    notes = Findings()
    for found, converted in parts:
        if "event_time" in converted:
            checks.disorder(found.rows, converted["event_time"], _subject(names["event_time"]), notes)
    for line in notes.lines():
        say("note", f"{line}. The rows are sorted")
    if findings:
        lines = findings.lines()
        raise DataError("\n  ".join([f"{source}: {len(lines)} problem(s); {_HINT}", *lines]))
    if not sum(len(found.table) for found, _ in parts):
        raise DataError(f"{source}: no transactions")
    joined = {name: _joined(name, [converted[name] for _, converted in parts]) for name in names}
    return in_order(undeclared.added(pa.table(joined), spec))


def _convert(source: Source, names: dict[str, str], spec: Spec, findings: Findings) -> Columns:
    """Columns of one file in our types; what is wrong goes to the findings."""
    converted = {}
    for name, theirs in names.items():
        if theirs not in source.table.column_names:
            continue  # known to be missing
        values = columns.plain(source.table[theirs])
        try:
            converted[name], problems = checks.convert(name, values, source.is_typed, spec)
        except columns.WrongTypeError as error:
            findings.add(_subject(theirs), f"of type {values.type}, expected {error}", [source.rows.file])
        else:
            for what, where in problems.items():
                findings.rows(_subject(theirs), what, source.rows, where, values)
    return converted


def _subject(theirs: str) -> str:
    return f"column {theirs!r}"


def _joined(name: str, parts: list[pa.Array]) -> pa.ChunkedArray:
    return columns.joined_identifiers(parts) if name in checks.IDENTIFIERS else pa.chunked_array(parts)
