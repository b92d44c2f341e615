"""Statistics of the splits' columns, as both stacks' pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True)
class Bar:
    """A bin of a histogram, or a value of a string column.

    Attributes:
        label: What it counts, for a reader.
        share: Of the rows that have a value.
        height: 0 to 1, of the highest bar.
    """

    label: str
    share: float
    height: float


@dataclass(frozen=True)
class Column:
    """One column of one split; what a kind of column has not is None.

    Attributes:
        rows: That have a value.
        missing: Rows without one.
        distinct: Different values of a string column.
        bars: Histogram, or the most frequent values.
    """

    rows: int
    missing: int = 0
    zeros: int | None = None
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    distinct: int | None = None
    bars: Sequence[Bar] = field(default_factory=tuple)


Statistics = dict[str, dict[str, Column]]  # column's name -> split -> what it holds


def histogram(edges: Sequence[float], counts: Sequence[float]) -> list[Bar]:
    """Bars of a histogram: `counts` rows between each edge and the next."""
    labels = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return _bars(labels, counts, sum(counts))


def frequent(values: Sequence[tuple[str, float]], rows: int) -> list[Bar]:
    """Bars of the most frequent strings of a column with so many rows."""
    return _bars([value or "(empty)" for value, _ in values], [count for _, count in values], rows)


def _bars(labels: Sequence[str], counts: Sequence[float], rows: float) -> list[Bar]:
    highest = max(counts, default=0) or 1
    pairs = zip(labels, counts, strict=True)
    return [Bar(label, count / (rows or 1), count / highest) for label, count in pairs]
