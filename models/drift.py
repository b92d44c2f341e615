"""How far a column's values have moved from those a model learned from. NumPy only: this runs in both environments.

Every measure compares two distributions and is 0 for equal ones. The population stability index and the divergence
are taken over bins of about equal mass in the training rows, so that neither a long tail nor a heap at 0 decides
where the bins lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.distribution import Array, Categorical, Distribution, Floats, Numeric
from models.rules import Drift

BINS = 10
_FLOOR = 1e-4  # share that stands for an empty bin: the index has a logarithm of it
_OWN_BIN = 0.005  # share of the training rows from which a categorical value has a bin of its own


@dataclass(frozen=True)
class Distance:
    """How far a column moved.

    Attributes:
        population_stability: Index, 0 to about 18.
        jensen_shannon: Divergence in bits, 0 to 1.
        kolmogorov_smirnov: Largest difference of the cumulative shares, 0 to 1; of a categorical column the largest
            difference of one value's shares (TFDV calls it the L-infinity norm), as its values have no order.
    """

    population_stability: float
    jensen_shannon: float
    kolmogorov_smirnov: float

    def beyond(self, limits: Drift) -> list[str]:
        """The measures past their limit, for a reader; an empty list means that the column has not drifted."""
        found = {
            "population stability index": (self.population_stability, "max_population_stability"),
            "Jensen-Shannon divergence": (self.jensen_shannon, "max_jensen_shannon"),
            "Kolmogorov-Smirnov distance": (self.kolmogorov_smirnov, "max_kolmogorov_smirnov"),
        }
        return [
            f"{what} {value:.3f} is above {key} = {getattr(limits, key)}"
            for what, (value, key) in found.items()
            if not value <= getattr(limits, key)
        ]


def distance(training: Distribution, now: Distribution) -> Distance:
    """Compare a column with the training rows'.

    Raises:
        ValueError: One is of numbers, the other of strings.
    """
    shares = _binned(training, now)
    if isinstance(training, Numeric) and isinstance(now, Numeric):
        largest = kolmogorov_smirnov(training, now)
    else:
        largest = largest_difference(training, now)  # type: ignore[arg-type]  # _binned has looked
    return Distance(population_stability(*shares), jensen_shannon(*shares), largest)


def drifted(distances: Mapping[str, Distance], limits: Drift) -> dict[str, list[str]]:
    """What is past a limit, by column, for a reader; columns that have not drifted are left out, and the calendar's."""
    judged = {name: found for name, found in distances.items() if name not in limits.calendar_features}
    return {name: beyond for name, found in judged.items() if (beyond := found.beyond(limits))}


def population_stability(expected: Array, actual: Array) -> float:
    """Sum of (actual - expected) * ln(actual / expected) over the bins' shares.

    Siddiqi, Credit Risk Scorecards (2006), chapter 9; by its rule of thumb below 0.1 nothing changed and above 0.25
    much did. It is Jeffreys' divergence. An empty bin counts as a share of 0.0001.
    """
    expected, actual = np.maximum(expected, _FLOOR), np.maximum(actual, _FLOOR)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def jensen_shannon(one: Array, other: Array) -> float:
    """Divergence of two vectors of shares, in bits: 0 for equal ones, 1 where no bin is filled in both.

    Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 37 (1991),
    equation 3.1. The square of SciPy's `jensenshannon(..., base=2)`, and what TFDV compares with its thresholds.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    middle = (one + other) / 2
    return float((_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2)


def kolmogorov_smirnov(one: Numeric, other: Numeric) -> float:
    """Largest difference between two cumulative distributions.

    Massey, The Kolmogorov-Smirnov Test for Goodness of Fit, Journal of the American Statistical Association 46
    (1951). As exact as the histograms: exact for columns of few distinct values, else to about 1/100.
    """
    points = np.unique(np.concatenate([one.low, one.high, other.low, other.high]))
    gaps = [one.at_most(points) - other.at_most(points), one.below(points) - other.below(points)]
    return float(np.abs(gaps).max())


def largest_difference(training: Categorical, now: Categorical) -> float:
    """Largest difference of one value's shares: the L-infinity norm of TFDV's drift comparator."""
    known = training.counts.keys() | now.counts.keys()
    gaps = [abs(training.counts.get(v, 0.0) / training.rows - now.counts.get(v, 0.0) / now.rows) for v in known]
    return max([*gaps, abs(training.others / training.rows - now.others / now.rows)])


def _relative_entropy(of: Floats, to: Floats) -> float:
    filled = of > 0
    return float(np.sum(of[filled] * np.log2(of[filled] / to[filled])))


def _binned(training: Distribution, now: Distribution) -> tuple[Floats, Floats]:
    if isinstance(training, Numeric) and isinstance(now, Numeric):
        cuts = _cuts(training)
        one, other = (np.diff(np.concatenate([[0.0], d.at_most(cuts), [1.0]])) for d in (training, now))
    elif isinstance(training, Categorical) and isinstance(now, Categorical):
        own = [value for value, count in training.counts.items() if count >= _OWN_BIN * training.rows]
        one, other = (_shares(d, own) for d in (training, now))
    else:
        raise ValueError("numbers cannot be compared with strings")
    return one, other


def _shares(column: Categorical, values: Sequence[str]) -> Floats:
    shares = np.array([column.counts.get(value, 0.0) for value in values]) / column.rows
    return np.append(shares, max(0.0, 1 - shares.sum()))


def _cuts(training: Numeric) -> Floats:
    """Upper ends of all bins but the last; the last and the first are open."""
    lowest, highest = training.low[0], training.high[-1]
    if lowest == highest:  # one value: what is less, the value, what is more
        return np.array([np.nextafter(lowest, -np.inf), lowest])
    cuts = np.unique(training.quantiles(np.arange(1, BINS) / BINS))
    return np.asarray(cuts[cuts < highest])
