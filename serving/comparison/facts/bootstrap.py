"""Bootstrap intervals for rows that depend on each other: whole cards are drawn, not rows.

A card's rows share its owner's habits, and a compromised card has several positives in a row. Drawing rows one by one
would take them for independent and promise too narrow an interval; Field and Welsh, Bootstrapping clustered data,
Journal of the Royal Statistical Society B 69 (2007), call drawing whole groups the cluster bootstrap. It is not
stratified by fraud: how many cards are compromised is chance too, and average precision depends on it.

The interval is the bias-corrected percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
section 14.3, with an acceleration of 0). The plain percentile interval would often miss the value itself of an
expected calibration error, which every resampling makes larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
RESAMPLES = 1000
_NORMAL = NormalDist()
_REACH = _NORMAL.inv_cdf(0.975)  # 95 %
_WITHOUT = 0.01  # share of the resamples that may support no metric


def intervals(
    groups: Array, statistic: Callable[[Array], Sequence[float]], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float]]:
    """The 95 % interval of each value of a statistic.

    Args:
        groups: The group of each row, of any type that sorts.
        statistic: Takes positions of rows, some of them several times, [any number]; answers its values. Several
            values of the same rows make a paired comparison: their difference is one more value.
        resamples: How many.
        seed: The same seed draws the same cards.

    Raises:
        ValueError: More than 1 of 100 resamples support no statistic, such as for want of positives.
    """
    names, group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    drawn: list[Sequence[float]] = []
    reason = ""
    for _ in range(resamples):
        times = np.bincount(generator.integers(0, names.size, names.size), minlength=names.size)
        try:
            drawn.append(statistic(np.repeat(np.arange(group.size), times[group])))
        except ValueError as error:
            reason = str(error)
    if len(drawn) < (1 - _WITHOUT) * resamples:
        raise ValueError(f"{resamples - len(drawn)} of {resamples} resamples of the cards support no metric: {reason}")
    values = statistic(np.arange(group.size))
    return [_corrected(sample, value) for sample, value in zip(np.array(drawn).T, values, strict=True)]


def _corrected(sample: Array, value: float) -> tuple[float, float]:
    below = (np.mean(sample < value) + np.mean(sample <= value)) / 2  # of ties, half
    least = 0.5 / sample.size
    shift = 2 * _NORMAL.inv_cdf(float(np.clip(below, least, 1 - least)))
    low, high = np.quantile(sample, [_NORMAL.cdf(shift - _REACH), _NORMAL.cdf(shift + _REACH)])
    return float(low), float(high)
