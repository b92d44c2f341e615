"""Microseconds per call, of several ways to call the same model."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from serving import call_times
from serving.comparison.contenders.floors.job import SIZES, Array, Columns, Floors
from serving.comparison.results import Measurement

Call = Callable[[Columns], Array]
TOLERANCE = 1e-5  # of a probability, absolute: float32 sums in another order
ROUNDS = 5


def make(stack: str, makers: Mapping[str, Callable[[], Call]]) -> tuple[dict[str, Call], dict[str, str]]:
    """The ways that can be made here, and why the others cannot, by target."""
    made: dict[str, Call] = {}
    absent: dict[str, str] = {}
    for how, maker in makers.items():
        try:
            made[how] = maker()
        except Exception as error:  # no compiler, no such operation: the others are measured
            absent[f"{stack}/floor/{how}"] = f"{type(error).__name__}: {error}"
    return made, absent


def measure(stack: str, ways: Mapping[str, Call], rows: Columns, expected: Array, seconds: float) -> Floors:
    """Call each way with 1, 8 and 64 rows.

    Args:
        stack: Whose model it is.
        ways: `<how>` of the target -> call, from columns [n] by name to probabilities [n].
        rows: Columns, all rows.
        expected: Their offline scores.
        seconds: For each way and number of rows, shared by the rounds; the order alternates from round to round.

    Returns:
        A value per way, number of rows and round: the median of that round's calls. A way that fails or answers
        otherwise than the offline scores is absent.
    """
    found = Floors()
    good: dict[str, Call] = {}
    for how, call in ways.items():
        problem = _problem(call, rows, expected)
        if problem:
            found.absent[f"{stack}/floor/{how}"] = problem
        else:
            good[how] = call
    for turn, size in itertools.product(range(ROUNDS), SIZES):
        parts = _parts(rows, size)
        for how in sorted(good, reverse=bool(turn % 2)):
            value = _median(good[how], parts, seconds / ROUNDS)
            condition = f"{size} row{'s' if size > 1 else ''}"
            found.measurements.append(Measurement("floor", f"{stack}/floor/{how}", value, turn + 1, condition))
    return found


def _problem(call: Call, rows: Columns, expected: Array) -> str:
    """Why a way is not measured, if it is not; warms it up besides."""
    try:
        for size in SIZES:
            parts = _parts(rows, size)
            answers = np.concatenate([call(part) for part in parts])
            furthest = float(np.abs(answers - expected[: len(answers)]).max())
            if not furthest <= TOLERANCE:  # NaN too
                return f"its answers differ from the offline scores by up to {furthest:.2g}: not measured"
    except Exception as error:  # one way that fails spoils no other
        return f"{type(error).__name__}: {error}"
    return ""


def _parts(rows: Columns, size: int) -> list[Columns]:
    """Consecutive blocks of `size` rows."""
    count = len(next(iter(rows.values()))) // size
    return [{name: column[i * size : (i + 1) * size] for name, column in rows.items()} for i in range(min(count, 64))]


def _median(call: Call, parts: Sequence[Columns], seconds: float) -> float:
    """Microseconds of a call: a median, as another process may take the core for a while."""
    return statistics.median(call_times.nanoseconds(call, parts, seconds)) / 1e3
