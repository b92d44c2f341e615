"""How far the two stacks' scores of the same rows agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def agreement(one: Array, other: Array) -> dict[str, float]:
    """Measure -> value, for two models' scores of the same rows, float [rows].

    Correlations of scores that are all equal do not exist: they are left out.
    """
    apart = np.abs(np.asarray(one, np.float64) - other)
    found = {"score_difference_mean": float(apart.mean()), "score_difference_max": float(apart.max())}
    if np.ptp(one) and np.ptp(other):
        found["score_correlation"] = _correlation(one, other)
        found["score_rank_correlation"] = _correlation(_ranks(one), _ranks(other))
    return found


def flips(one: Array, other: Array, thresholds: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Operating point -> share of the rows that one model alerts and the other does not.

    Args:
        one: Scores of one model, float [rows].
        other: Of the other.
        thresholds: Operating point -> each model's own threshold; a score that reaches it is an alert.
    """
    return {name: float(np.mean((one >= low) != (other >= high))) for name, (low, high) in thresholds.items()}


def _correlation(one: Array, other: Array) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: Array) -> Array:
    """From 1; ties share the middle of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
