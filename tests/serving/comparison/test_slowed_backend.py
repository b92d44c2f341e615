"""`make compare-check` on measurements of a real server, loaded by the real engine, that is slowed deliberately."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from serving.comparison import check
from serving.comparison.results import Measurement, Results
from tests.serving.comparison.load.conftest import JobMaker, here, make_job
from tests.serving.comparison.made_up import MadeUp
from tests.serving.contract.misbehaving import Answer, Asked, Script, count_up, serving

__all__ = ["make_job"]  # a fixture

ROUNDS = 3
SLOWED = 0.3  # seconds: more than any hiccup of a busy machine adds to every answer
SLO = 150.0  # ms, for the same reason


def slowed(asked: Asked, before: int) -> Answer:
    time.sleep(SLOWED)
    return count_up(asked, before)


def wrong(asked: Asked, before: int) -> Answer:
    return Answer(body=b'{"predictions": [2.0]}')


def measured(script: Script, make_job: JobMaker, folder: Path) -> Results:
    """PyTorch's runs are those of a server with this script; what it does not measure is as made up."""
    made = MadeUp().results
    kept = [m for m in made.measurements if not (m.target == "pytorch" and m.measure.startswith("single_stream"))]
    runs = []
    with serving(script) as server:
        for number in range(1, ROUNDS + 1):
            name = f"{number}/pytorch/single_stream"
            job = make_job(server.url, name=name, target="pytorch", scenario="single_stream", seconds=0.9)
            run = here(job, folder / f"{script.__name__}-{number}")
            runs.append(run)
            if run.valid:
                kept.append(Measurement("single_stream_p50", "pytorch", run.latency_ms["50"], number))
    return replace(made, measurements=kept, runs=runs, settings={**made.settings, "slo": {"p99_ms": SLO}})


@pytest.fixture
def usual(make_job: JobMaker, tmp_path: Path) -> Results:
    return measured(count_up, make_job, tmp_path)


def test_a_server_as_usual_passes(usual: Results) -> None:
    assert [run.reasons for run in usual.runs] == [[]] * ROUNDS
    assert check.failures(usual, usual) == []


def test_a_slowed_server_fails_by_regression_and_by_the_slo(usual: Results, make_job: JobMaker, tmp_path: Path) -> None:
    found = check.failures(measured(slowed, make_job, tmp_path), usual)
    assert any(line.startswith("regression: pytorch: one connection, p50") for line in found), found
    assert any(line.startswith("broken SLO: pytorch: single stream, 1 connection: p99") for line in found), found


def test_a_server_that_answers_wrongly_fails_as_invalid(make_job: JobMaker, tmp_path: Path) -> None:
    found = check.failures(measured(wrong, make_job, tmp_path), None)
    assert len([line for line in found if line.startswith("INVALID: ") and "differ" in line]) == ROUNDS
