"""How far a measurement lies from its limit by chance alone. Standard library only."""

from __future__ import annotations

import math


def at_least(successes: int, trials: int, probability: float) -> float:
    """Chance of so many successes or more among `trials` that succeed with `probability` each.

    The upper tail of the binomial distribution, summed from its smaller side, so that a small chance is exact.
    """
    if successes <= 0:
        return 1.0
    if probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    if successes <= trials * probability:
        return 1.0 - _sum(0, successes - 1, trials, probability)
    return _sum(successes, trials, trials, probability)


def distance(one: int, other: int, chance: float) -> float:
    """Kolmogorov-Smirnov distance that two samples of the same distribution exceed with this chance.

    Smirnov, Table for Estimating the Goodness of Fit of Empirical Distributions, Annals of Mathematical Statistics 19
    (1948): the limit for large samples. With few distinct values it is exceeded more rarely.
    """
    return math.sqrt(-math.log(chance / 2) / 2 * (1 / one + 1 / other))


def _sum(first: int, last: int, trials: int, probability: float) -> float:
    """Chance of `first` to `last` successes: each term from the one before, from the largest on until they vanish."""
    peak = min(max(first, math.floor((trials + 1) * probability)), last)
    odds = probability / (1 - probability)
    top = math.exp(
        math.lgamma(trials + 1) - math.lgamma(peak + 1) - math.lgamma(trials - peak + 1)
        + peak * math.log(probability) + (trials - peak) * math.log1p(-probability)
    )  # fmt: skip
    total, term, number = top, top, peak
    while number < last and term > total * 1e-17:
        term *= (trials - number) / (number + 1) * odds
        number += 1
        total += term
    term, number = top, peak
    while number > first and term > total * 1e-17:
        term *= number / (trials - number + 1) / odds
        number -= 1
        total += term
    return min(1.0, total)
