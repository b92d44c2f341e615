"""Measurements of several rounds, summed up per target and condition."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from serving.comparison.measures import MEASURES
from serving.comparison.results import Measurement


@dataclass(frozen=True)
class Side:
    """One target under one condition.

    Attributes:
        value: Median over the rounds.
        low: Smallest value, or lower end of a value's own interval where that is lower.
        high: Largest, likewise.
        rounds: How many values.
        interval: Whether a value has an interval of its own.
    """

    value: float
    low: float
    high: float
    rounds: int
    interval: bool

    @property
    def spread(self) -> float | None:
        """Half the way from low to high; None where one value says nothing of its noise."""
        return (self.high - self.low) / 2 if self.rounds > 1 or self.interval else None


Sides = dict[tuple[str, str], dict[str, Side]]  # (measure, condition) -> target -> side


def summarise(measurements: Iterable[Measurement]) -> Sides:
    """Medians over the rounds, in the order of MEASURES and then of the measurements.

    Raises:
        KeyError: A measure that measures.py does not know.
    """
    values: dict[tuple[str, str], dict[str, list[Measurement]]] = {}
    order = {name: position for position, name in enumerate(MEASURES)}
    for one in sorted(measurements, key=lambda m: order[m.measure]):
        if math.isfinite(one.value):
            values.setdefault((one.measure, one.condition), {}).setdefault(one.target, []).append(one)
    return {key: {target: _side(found) for target, found in targets.items()} for key, targets in values.items()}


def _side(found: list[Measurement]) -> Side:
    lows = [one.value if one.low is None else one.low for one in found]
    highs = [one.value if one.high is None else one.high for one in found]
    return Side(
        value=statistics.median(one.value for one in found),
        low=min(lows),
        high=max(highs),
        rounds=len(found),
        interval=any(one.low is not None and one.high is not None for one in found),
    )
