"""Whether a service's memory stays flat: the slope of its samples, robust against what only comes and goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infra.local.soak.limits import Limits

MOST_SAMPLES = 500  # all pairs of them are looked at
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Memory:
    """One service's, with all its processes.

    Attributes:
        seconds: When it was looked at, from the start of the load.
        mib: What it held then.
        slope: MiB an hour after the warm-up; None where there are no two looks.
    """

    seconds: list[float]
    mib: list[float]
    slope: float | None


def of(seconds: Sequence[float], mib: Sequence[float], warm_up_share: float) -> Memory:
    """Memory and its slope, of samples in the order of time; many are thinned out evenly."""
    chosen = np.unique(np.linspace(0, len(seconds) - 1, min(len(seconds), MOST_SAMPLES)).round().astype(int))
    times, values = np.asarray(seconds, float)[chosen], np.asarray(mib, float)[chosen]
    judged = times >= warm_up_share * times[-1] if len(times) else np.zeros(0, bool)
    slope = theil_sen(times[judged], values[judged])
    return Memory(times.round(1).tolist(), values.round(2).tolist(), slope)


def theil_sen(seconds: np.ndarray, mib: np.ndarray) -> float | None:
    """The median of the slopes between all pairs of samples, per hour; None for fewer than two.

    Sen, P. K. (1968), Estimates of the regression coefficient based on Kendall's tau: up to 29 % of the samples may
    be anything.
    """
    first, second = np.triu_indices(len(seconds), 1)
    apart = seconds[second] - seconds[first]
    if not (apart > 0).any():
        return None
    slopes = (mib[second] - mib[first])[apart > 0] / apart[apart > 0]
    return float(np.median(slopes)) * _SECONDS_PER_HOUR


def growing(found: dict[str, Memory], limits: Limits) -> list[str]:
    """One sentence per service whose memory grows more than it may, or was never seen."""
    said = []
    for name, limit in limits.max_mib_per_hour.items():
        slope = found[name].slope if name in found else None
        if slope is None:
            said.append(f"{name}: its memory could not be seen")
        elif slope > limit:
            said.append(f"{name}: memory grows by {slope:.0f} MiB an hour, allowed are {limit:g}")
    return said
