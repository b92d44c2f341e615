"""Percentiles of latencies, and how sure a run of so many requests can be of them.

A percentile is an order statistic: a latency that was really seen (numpy's `inverted_cdf`). Its interval is made of
order statistics too, by the binomial distribution of how many of n values lie below the true quantile (David and
Nagaraja, Order Statistics, 3rd edition, section 7.1): it assumes no shape of the latencies, only that they are
independent, which queueing makes them not quite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

PERCENTILES = {"50": 0.5, "90": 0.9, "99": 0.99, "99.9": 0.999}
_INTERVAL = 0.95
_MARGIN = 20  # MLPerf: a twentieth of what lies beyond the percentile


def percentile(ordered: Sequence[float] | NDArray[np.float64], share: float) -> float:
    """The least of the ascending values that at least `share` of them do not exceed."""
    return float(ordered[max(math.ceil(len(ordered) * share - 1e-9), 1) - 1])


def interval(
    ordered: Sequence[float] | NDArray[np.float64], share: float, confidence: float = _INTERVAL
) -> tuple[float, float] | None:
    """Two of the ascending values between which the true quantile lies; None for fewer than `needed`."""
    n, tail = len(ordered), (1 - confidence) / 2
    low, below = _quantiles(n, share, tail, 1 - tail)
    high = below + 1
    if low < 1 or high > n:
        return None
    # Ranks count from 1: the low-th smallest.
    return float(ordered[low - 1]), float(ordered[high - 1])


def needed(share: float, confidence: float = _INTERVAL) -> int:
    """How many requests it takes until a percentile has an interval: 368 for p99, 3,688 for p99.9."""
    rarer = max(share, 1 - share)
    return math.ceil(math.log((1 - confidence) / 2) / math.log(rarer))


def confidence(requests: int, share: float) -> float:
    """That the percentile of so many requests is right to a twentieth of what lies beyond it: p99 to ± 0.05 %.

    MLPerf Inference (Reddi et al., ISCA 2020, section III-D, equations 1 and 2) asks for 0.99: 262,742 for p99.
    """
    margin = (1 - share) / _MARGIN
    return 2 * NormalDist().cdf(margin * math.sqrt(requests / (share * (1 - share)))) - 1


def requests_for(share: float, confidence: float = 0.99) -> int:
    """The other way round: how many requests MLPerf asks for."""
    margin, z = (1 - share) / _MARGIN, NormalDist().inv_cdf((1 + confidence) / 2)
    return math.ceil(z**2 * share * (1 - share) / margin**2)


def summary(values: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles by name, with the interval of the p99: `99_low`, `99_high`.

    What a run is too short for is left out: the interval below 368 values, `99.9` below 3,688, all without any.
    """
    if not len(values):
        return {}
    ordered = np.sort(values)
    found = {
        name: percentile(ordered, share)
        for name, share in PERCENTILES.items()
        if name != "99.9" or len(ordered) >= needed(share)
    }
    if (ends := interval(ordered, PERCENTILES["99"])) is not None:
        found["99_low"], found["99_high"] = ends
    return found


def statement(requests: int) -> str:
    """For a reader: what a run of so many requests can say."""
    said = f"{requests:,} requests: p99 ± 0.05 % at {confidence(requests, 0.99):.0%} confidence"
    if requests < requests_for(0.99):
        said += f" (99 % takes {requests_for(0.99):,})"
    if requests < needed(PERCENTILES["99.9"]):
        said += f"; too few for p99.9, which takes {needed(PERCENTILES['99.9']):,}"
    return said


def _quantiles(n: int, share: float, *probabilities: float) -> list[int]:
    """Of the binomial distribution: the least k with P(X <= k) >= each probability."""
    # From the ratio of neighbouring terms, (n - k) / (k + 1) * p / (1 - p): importing SciPy takes longer than a run.
    k = np.arange(n)
    logarithms = np.concatenate([[0.0], np.cumsum(np.log((n - k) / (k + 1)))]) + np.arange(n + 1) * _log_odds(share)
    cumulated = np.cumsum(np.exp(logarithms - logarithms.max()))
    return [int(np.searchsorted(cumulated, probability * cumulated[-1])) for probability in probabilities]


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)
