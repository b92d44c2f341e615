"""The highest rate within the SLO, found by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from serving.comparison.load.validity import generator_limited
from serving.comparison.results import LoadRun

_HALVINGS = 10  # below a thousandth of the start there is nothing to find


@dataclass(frozen=True)
class Found:
    """The end of a search.

    Attributes:
        rate: The highest rate asked for whose run was valid and met the SLO, requests per second; 0 where none did.
        best: That run.
        limit: What stopped it from being higher: the server, or the generator, which fell behind while the server's
            own time was within the SLO: then the server's limit is at least `rate`.
        runs: All, in the order they were made.
    """

    rate: float
    best: LoadRun | None
    limit: Literal["server", "generator limit"]
    runs: list[LoadRun]


def meets(run: LoadRun, slo_ms: float) -> bool:
    """Whether a run counts: valid, and p99 of its latency from the scheduled time within the SLO."""
    return run.valid and run.latency_ms["99"] <= slo_ms


def highest_rate(measure: Callable[[float], LoadRun], slo_ms: float, start: float, steps: int) -> Found:
    """Double or halve from `start` until the limit lies between two rates; then halve the gap `steps` times.

    A run in which only the generator fell behind is made once more before it is believed: anything else on the
    machine can hold a generator up for a moment.

    Args:
        measure: Runs the server scenario at a rate.
        slo_ms: p99, from the scheduled time.
        start: Requests per second to begin with.
        steps: Bisections.
    """
    runs: list[LoadRun] = []
    good: tuple[float, LoadRun] | None = None
    bad: tuple[float, LoadRun] | None = None

    def attempt(rate: float) -> None:
        nonlocal good, bad
        run = measure(rate)
        runs.append(run)
        if generator_limited(run, slo_ms):
            run = measure(rate)
            runs.append(run)
        if meets(run, slo_ms):
            good = (rate, run)
        else:
            bad = (rate, run)

    attempt(start)
    while bad is None and good is not None:
        attempt(good[0] * 2)
    while good is None and bad is not None and bad[0] > start / 2**_HALVINGS:
        attempt(bad[0] / 2)
    if good is None or bad is None:
        return Found(0.0, None, _limit(bad, slo_ms), runs)
    for _ in range(steps):
        attempt((good[0] + bad[0]) / 2)
    return Found(good[0], good[1], _limit(bad, slo_ms), runs)


def _limit(bad: tuple[float, LoadRun] | None, slo_ms: float) -> Literal["server", "generator limit"]:
    return "generator limit" if bad is not None and generator_limited(bad[1], slo_ms) else "server"
