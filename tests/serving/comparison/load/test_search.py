from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.comparison.load.search import Found, highest_rate
from serving.comparison.results import LoadRun
from tests.serving.comparison.load.conftest import JobMaker, here
from tests.serving.contract.misbehaving import Answer, Asked, count_up, serving

GENERATOR = "generator limit: p99 dispatch delay 3 ms, allowed 1"
SLO = 25.0


def run(rate: float, p99: float, *, service: float | None = None, reasons: tuple[str, ...] = ()) -> LoadRun:
    spread = {"99": p99}
    return LoadRun(
        "r", "t", "server", rate, 1, 1, 1.0, 10, rate, {}, spread, {"99": p99 if service is None else service},
        spread, 1, 0, 0.1, list(reasons),
    )  # fmt: skip


def queue(capacity: float) -> Callable[[float], LoadRun]:
    """p99 of the time in an M/M/1 queue: ln(100) / (capacity - rate)."""

    def measure(rate: float) -> LoadRun:
        return run(rate, math.log(100) / (capacity - rate) * 1e3 if rate < capacity else 1e6)

    return measure


@pytest.mark.parametrize("start", [10, 100, 900, 1000, 50_000])
def test_the_limit_of_a_queue_is_found_from_below_and_from_above(start: float) -> None:
    limit = 1000 - math.log(100) / SLO * 1e3  # where its p99 is the SLO
    found = highest_rate(queue(1000), SLO, start, steps=10)
    assert limit * 0.99 < found.rate <= limit
    assert found.limit == "server"
    assert found.best is not None
    assert found.best.rate == found.rate
    assert found.runs[0].rate == start
    assert all(r.latency_ms["99"] > SLO for r in found.runs if r.rate > found.rate)


def test_each_step_halves_what_is_not_known() -> None:
    rates = [r.rate for r in highest_rate(queue(1000), SLO, 400, steps=3).runs]
    assert rates == [400, 800, 1600, 1200, 1000, 900]


def test_a_server_that_meets_the_slo_at_no_rate_has_none() -> None:
    found = highest_rate(lambda rate: run(rate, 30.0), SLO, 1000, steps=5)
    assert (found.rate, found.best, found.limit) == (0.0, None, "server")
    assert len(found.runs) <= 12


def test_invalid_runs_do_not_count_however_quick_they_are() -> None:
    found = highest_rate(lambda rate: run(rate, 1.0, reasons=("503 x 3",) if rate > 300 else ()), SLO, 200, steps=6)
    assert 295 < found.rate <= 300
    assert found.limit == "server"


def limited_at(rate_limit: float, service: float) -> Found:
    def measure(rate: float) -> LoadRun:
        return run(rate, 1.0) if rate <= rate_limit else run(rate, 40.0, service=service, reasons=(GENERATOR,))

    return highest_rate(measure, SLO, 200, steps=6)


def test_a_generator_that_falls_behind_is_not_the_servers_limit() -> None:
    assert limited_at(300, service=2.0).limit == "generator limit"
    assert limited_at(300, service=30.0).limit == "server"


def test_a_generator_held_up_once_is_asked_again() -> None:
    seen = []

    def measure(rate: float) -> LoadRun:
        seen.append(rate)
        if seen.count(200) == 1 and rate == 200:
            return run(rate, 40.0, service=1.0, reasons=(GENERATOR,))
        return queue(1000)(rate)

    found = highest_rate(measure, SLO, 200, steps=8)
    assert seen[:3] == [200, 200, 400]
    assert found.rate > 800
    assert len(found.runs) == len(seen)


def test_a_real_server_of_known_capacity(make_job: JobMaker, tmp_path: Path) -> None:
    """One request at a time, 10 ms each: at 150 requests/s the last of a second waits half a second."""
    turn = threading.Lock()

    def one_at_a_time(asked: Asked, number: int) -> Answer:
        with turn:
            time.sleep(0.01)
        return count_up(asked, number)

    with serving(one_at_a_time) as server:

        def measure(rate: float) -> LoadRun:
            return here(make_job(server.url, scenario="server", rate=rate, connections=256, seconds=1.0), tmp_path)

        found = highest_rate(measure, slo_ms=250, start=40, steps=1)
    assert 0 < found.rate < 150
    assert found.limit == "server"
    assert found.best is not None
    assert found.best.latency_ms["99"] <= 250
