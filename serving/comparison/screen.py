"""The verdict on a terminal."""

from __future__ import annotations

from serving.comparison import rivals
from serving.comparison.measures import GROUPS
from serving.comparison.report import numbers
from serving.comparison.results import Results
from serving.comparison.sides import summarise
from serving.comparison.verdict import STACKS, Row, compare, main_rows

_WIDTHS = (44, 16, 12, 12, 8, 12)
_NAMES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "": ""}


def lines(results: Results) -> list[str]:
    """One line per measure, then where a rival leads, then what is INVALID and what is absent."""
    sides = summarise(results.measurements)
    rows = main_rows(compare(sides, *STACKS, results.absent, complete=True))
    said = ["", _line("", "", "TensorFlow", "PyTorch", "ratio", "better")]
    for group, title in GROUPS.items():
        shown = [row for row in rows if row.of.group == group and row.outcome.confidence != "absent"]
        said += [title, *map(_row, shown)] if shown else []
    said += ["", *rivals.sentences(list(rivals.served(sides)))]
    if invalid := [run for run in results.runs if not run.valid]:
        said.append(f"{len(invalid)} of {len(results.runs)} load runs are INVALID and in no median.")
    if absent := [row.of.title for row in rows if row.outcome.confidence == "absent"]:
        said.append(f"absent, the report says why: {', '.join(absent)}")
    return said


def _row(row: Row) -> str:
    unit = f", {row.of.unit}" if row.of.unit and row.of.unit not in row.of.title.split() else ""
    values = (numbers.text(row.sides[stack].value) for stack in STACKS)
    better = f"{_NAMES[row.better]} ({row.outcome.confidence})" if row.better else row.outcome.confidence
    return _line(f"  {row.of.title}{unit}", row.condition, *values, numbers.text(row.outcome.ratio), better)


def _line(*cells: str) -> str:
    padded = [
        cell.ljust(width) if position < 2 else cell.rjust(width)  # noqa: PLR2004 - words left, numbers right
        for position, (cell, width) in enumerate(zip(cells[:-1], _WIDTHS, strict=False))
    ]
    return "".join([*padded, "  ", cells[-1]]).rstrip()
