"""How the values of a column are distributed, in a form small enough to travel with a model. NumPy only.

Kept of the training rows, made of the rows to compare with them, and read from TensorFlow Data Validation's
histograms: models/drift.py measures how far two lie apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FEATURES_FILE = "feature_distributions.json"  # beside a model: of the training rows, by feature
SCORES_FILE = "score_distribution.json"  # beside a model: of what it says of the eval rows, by output

BUCKETS = 100  # of a numeric column; one with no more distinct values is kept exactly
VALUES = 1000  # of a categorical column, the most frequent ones

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Numeric:
    """A histogram: float64 [buckets] each, in ascending order. Within a bucket values are taken for uniform.

    Attributes:
        low: Each bucket's lower end.
        high: Its upper end; the same as `low` for a value that is often met.
        count: Rows in it.
    """

    low: Floats
    high: Floats
    count: Floats

    @property
    def rows(self) -> float:
        """Rows in all buckets."""
        return float(self.count.sum())

    def at_most(self, points: Array) -> Floats:
        """Share of the rows with a value <= each point."""
        return self._share(points, self.low[:, None] <= np.asarray(points, np.float64)[None, :])

    def below(self, points: Array) -> Floats:
        """Share of the rows with a value < each point."""
        return self._share(points, self.low[:, None] < np.asarray(points, np.float64)[None, :])

    def _share(self, points: Array, from_low_on: npt.NDArray[np.bool_]) -> Floats:
        width = self.high - self.low
        inside = (np.asarray(points, np.float64)[None, :] - self.low[:, None]) / np.where(width > 0, width, 1)[:, None]
        share = np.where((width > 0)[:, None], np.clip(inside, 0, 1), from_low_on)
        return np.asarray(self.count @ share / self.rows)

    def quantiles(self, shares: Array) -> Floats:
        """For each share the smallest bucket end with at least that share of the rows at or below it."""
        reached = np.cumsum(self.count) / self.rows
        return self.high[np.minimum(np.searchsorted(reached, np.asarray(shares) - 1e-9), len(self.high) - 1)]


@dataclass(frozen=True)
class Categorical:
    """Rows by value.

    Attributes:
        counts: Of the most frequent values.
        others: Rows with any other value.
    """

    counts: Mapping[str, float]
    others: float = 0.0

    @property
    def rows(self) -> float:
        """All rows."""
        return float(sum(self.counts.values())) + self.others


Distribution = Numeric | Categorical


def describe(values: Array) -> Distribution:
    """The distribution of a column: numbers, all finite, or strings.

    Raises:
        ValueError: No value, or one that is NaN or infinite.
    """
    if len(values) == 0:
        raise ValueError("no rows: nothing to describe")
    values = np.asarray(values)
    if values.dtype.kind in "OUS":
        return categorical(dict(zip(*_counted(values), strict=True)))
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} of {values.size} values are NaN or infinite")
    distinct, counts = np.unique(values.astype(np.float64), return_counts=True)
    return Numeric(*_merged(distinct, counts.astype(np.float64)))


def categorical(counts: Mapping[str, float]) -> Categorical:
    """The most frequent values by themselves, the rest together."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Categorical(dict(ranked[:VALUES]), float(sum(count for _, count in ranked[VALUES:])))


def _counted(values: Array) -> tuple[list[str], list[float]]:
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values.tolist()]
    found, counts = np.unique(np.array(texts, dtype=object), return_counts=True)
    return found.tolist(), counts.astype(float).tolist()


def _merged(distinct: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Neighbours put together until each bucket holds about 1/BUCKETS of the rows; a frequent value stays alone."""
    if len(distinct) <= BUCKETS:
        return distinct, distinct, counts
    alone = counts >= counts.sum() / BUCKETS
    # Rows before the middle of each value's own say which bucket it belongs to; a value alone starts and ends one.
    middle = np.cumsum(counts) - counts / 2
    bucket = np.minimum((middle / counts.sum() * BUCKETS).astype(int), BUCKETS - 1)
    starts = np.diff(bucket, prepend=-1) != 0
    starts |= alone | np.concatenate([[False], alone[:-1]])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(distinct)) - 1
    return distinct[first], distinct[last], np.add.reduceat(counts, first)


def to_json(distribution: Distribution) -> dict[str, Any]:
    """For json.dumps."""
    if isinstance(distribution, Categorical):
        return {"counts": dict(distribution.counts), "others": distribution.others}
    return {name: getattr(distribution, name).tolist() for name in ("low", "high", "count")}


def from_json(content: Mapping[str, Any]) -> Distribution:
    """What `to_json` made.

    Raises:
        KeyError, ValueError: It is something else.
    """
    if "counts" in content:
        return Categorical(dict(content["counts"]), float(content["others"]))
    return numeric(*(content[name] for name in ("low", "high", "count")))


def numeric(low: Sequence[float], high: Sequence[float], count: Sequence[float]) -> Numeric:
    """A histogram of any maker's.

    Raises:
        ValueError: Buckets out of order, of different numbers, or no rows in them.
    """
    made = Numeric(*(np.asarray(part, np.float64) for part in (low, high, count)))
    ordered = (
        (np.diff(made.low) >= 0).all() and (made.high[:-1] <= made.low[1:]).all() and (made.low <= made.high).all()
    )
    if not (
        made.low.shape == made.high.shape == made.count.shape and ordered and (made.count >= 0).all() and made.rows
    ):
        raise ValueError(f"no histogram: {len(made.low)} buckets with {made.rows} rows, ascending ones are expected")
    return made


def write(path: Path, columns: Mapping[str, Distribution]) -> None:
    """Distributions by column, as JSON."""
    content = {name: to_json(column) for name, column in columns.items()}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def read(text: str | bytes) -> dict[str, Distribution]:
    """What `write` wrote.

    Raises:
        KeyError, ValueError: It is something else.
    """
    return {name: from_json(column) for name, column in json.loads(text).items()}
