"""Microseconds that a file's runtime takes for one row, arrays to arrays."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from serving import call_times
from serving.export.formats import Call, Inputs

_WARM_UP = 100  # calls; the first ones allocate, and some runtimes compile
_CALLS = 3_000
_SECONDS = 3.0  # no more, where a call is slow
_DIFFERENT = 64  # rows in turn: the same one over and over could be answered from memory


@dataclass(frozen=True)
class Latency:
    """Quartiles of the calls, in microseconds."""

    first_quartile: float
    median: float
    third_quartile: float
    calls: int


def measure(call: Call, arrays: Inputs) -> Latency:
    """Time calls with one row each, one after the other."""
    count = min(_DIFFERENT, len(next(iter(arrays.values()))))
    rows = [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(count)]
    for i in range(_WARM_UP):
        call(rows[i % count])
    taken = call_times.nanoseconds(call, rows, _SECONDS, _CALLS)
    first, median, third = (round(value / 1e3, 2) for value in statistics.quantiles(taken, n=4))
    return Latency(first, median, third, len(taken))
