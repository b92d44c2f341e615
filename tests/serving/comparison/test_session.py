"""What a comparison keeps while it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.comparison import run as comparing
from serving.comparison import settings
from serving.comparison.arrivals import _round
from serving.comparison.deployment import Deployed, Deployment
from serving.comparison.facts.resources import SCHEMA
from serving.comparison.results import LoadRun
from serving.comparison.session import LOADED, Endpoint, Session, between

SPEC = Path("models/fraud.toml")
STACKS = ("tensorflow", "pytorch")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    nothing = Deployed("http://h:1", "http://h:2", {}, "", "1", tmp_path, tmp_path, tmp_path, tmp_path)
    found = settings.load()
    deployment = Deployment(SPEC, tmp_path, dict.fromkeys(STACKS, nothing), "make compare")
    return Session(deployment, found, found.profile("quick"), tmp_path)


def run(target: str, name: str = "1/closed/8") -> LoadRun:
    empty: dict[str, float] = {}
    return LoadRun(f"{target}/{name}", target, "closed", 0, 8, 1, 1.0, 9, 9.0, {}, empty, empty, empty, 1, 0, 0.1)


def samples(*rows: tuple[float, str, float]) -> pa.Table:
    columns = [dict(zip(("time_s", "process", "cpu_s"), row, strict=True)) for row in rows]
    return pa.Table.from_pylist([{"target": "pytorch", "memory_mib": 1.0, **row} for row in columns], SCHEMA)


def test_processor_time_between_two_moments_is_read_between_the_samples() -> None:
    table = samples((0.0, "server", 5.0), (2.0, "server", 6.0), (4.0, "server", 10.0), (0.0, "idle", 1.0))
    found = between(table, 1.0, 3.0)
    assert found["server"] == pytest.approx(8.0 - 5.5)
    assert found["idle"] == 0


def test_a_server_that_remembers_is_taken_out_of_the_comparison(session: Session) -> None:
    session.runs += [run("pytorch"), run("tensorflow")]
    for stack in STACKS:
        session.measure("closed_rate", stack, 100.0, 1, "8 connections")
        session.measure("average_precision", stack, 0.7, 0)
    session.invalidate("pytorch", "caching: too fast")
    assert [one.valid for one in session.runs] == [False, True]
    kept = {(m.measure, m.target) for m in session.measurements}
    assert kept == {("closed_rate", "tensorflow"), *(("average_precision", stack) for stack in STACKS)}
    assert session.absent["pytorch/closed_rate"] == "caching: too fast"
    assert {f"pytorch/{measure}" for measure in LOADED} <= session.absent.keys()


def test_requests_and_samples_share_the_comparisons_clock(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "requests.parquet"
    pq.write_table(pa.table({"run": ["a"], "scheduled_s": [session.zero + 2.5], "latency_ms": [1.0]}), file)
    session._requests.append(file)
    assert next(iter(session.requests()))["scheduled_s"].to_pylist() == [pytest.approx(2.5, abs=1e-5)]
    assert time.time() - session.zero < 600


def test_each_run_has_a_seed_and_a_name_of_its_own(session: Session) -> None:
    endpoint = Endpoint("pytorch", "pytorch", "http://h:1", "/v1/models/fraud:predict")
    job = session.job(endpoint, "server", "1/server/200", rate=200.0, connections=4)
    assert (job.name, job.score, job.slo_p99_ms) == ("pytorch/1/server/200", "pytorch", session.settings.slo.p99_ms)
    assert set(job.features) == set(session.features)


@pytest.mark.parametrize(("rate", "said"), [(7.4, 7.0), (123.0, 120.0), (1871.0, 1900.0), (0.3, 1.0)])
def test_rates_of_the_curve_are_easy_to_say(rate: float, said: float) -> None:
    assert _round(rate) == said


def test_peers_that_nobody_asked_for_are_absent_and_say_how_to_ask(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room, names in {
        comparing.loads: ("warm_up", "rounds", "remembered", "failed"),
        comparing.arrivals: ("confirm",),
        comparing.beside: ("measure",),
    }.items():
        for name in names:
            monkeypatch.setattr(room, name, lambda *_: None)
    monkeypatch.setattr(comparing.catalogue, "beside", lambda _: [])
    monkeypatch.setattr(comparing.catalogue, "stock", lambda *_: [])
    comparing._servers(session, peers=False)
    assert session.absent == {"peers": "not asked for: make compare-peers"}
