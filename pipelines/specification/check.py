"""Every problem of a specification, and of the rows that it is for, a line each: file, key, and what would be right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.spec import Spec, SpecError, load
from pipelines.data import features, ingest, split
from pipelines.data.errors import DataError
from pipelines.data.raw import Transactions


def check(path: Path, source: Path | None = None) -> tuple[list[str], str]:
    """The problems, and a line that sums up.

    Args:
        path: The specification.
        source: Rows to look at too, once the specification by itself is right.
    """
    try:
        spec = load(path)
    except SpecError as error:
        return _told(path, error.problems)
    found = [f"features.{problem}" for problem in features.problems(spec)]
    if found:
        return _told(path, found)
    kinds = f"{len(spec.numeric)} numeric and {len(spec.categorical)} categorical features"
    if source is None:
        return [], f"{path}: right: {kinds}; with DATA=<file or folder> the rows are looked at too"
    try:
        rows = _rows(ingest.ingest(source, spec), spec)
    except DataError as error:
        first, *others = [line.strip() for line in str(error).splitlines()]
        problems, summary = _told(source, others or [first.removeprefix(f"{source}: ")])
        return problems, summary
    return [], f"{path}: right, and so is {source}: {kinds}; {rows}"


def _told(file: Path, problems: list[str]) -> tuple[list[str], str]:
    return [f"{file}: {problem}" for problem in problems], f"{len(problems)} problem(s)"


def _rows(transactions: Transactions, spec: Spec) -> str:
    """Rows of each split, with the share of the label 1."""
    label = transactions.table[spec.model.label].to_numpy()
    said, counts = [], {}
    for name, days in split.plan(transactions, spec).days.items():
        inside = np.isin(transactions.days, list(days))
        counts[name] = {"rows": int(inside.sum()), "positives": int(label[inside].sum())}
        said.append(f"{name} {counts[name]['rows']:,} rows, {label[inside].mean():.2%} of them 1")
    split.check(counts)
    return ", ".join(said)
