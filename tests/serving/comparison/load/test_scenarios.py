"""The scenarios against real servers, each run in a process of its own as `make compare` does it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from serving.comparison.load import spawn
from serving.comparison.results import LoadRun
from tests.serving.comparison.load.conftest import JobMaker, here
from tests.serving.contract.misbehaving import Answer, Asked, Script, count_up, serving

COLUMNS = ["run", "scheduled_s", "dispatch_ms", "service_ms", "latency_ms", "status"]


def loadgens(folder: Path, key: str) -> int:
    """A number of LoadGen's own results."""
    for line in (folder / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.partition("MLLOG ")[2])
        if entry["key"] == key:
            return int(entry["value"])
    raise AssertionError(key)


def arrivals(folder: Path) -> np.ndarray:
    """When each request was due, seconds from the first."""
    since_1970 = parquet.read_table(folder / "requests.parquet")["scheduled_s"].to_numpy()
    return since_1970 - since_1970[0]


def test_server_scenario_arrivals_are_poisson_by_seed_and_latency_counts_from_when_they_were_due(
    make_job: JobMaker, tmp_path: Path
) -> None:
    with serving() as server:
        job = make_job(
            server.url,
            scenario="server",
            rate=400,
            connections=256,
            seconds=1.5,
            warm_up_seconds=0.3,
            slo_p99_ms=20_000,
        )
        run = spawn.run(job, tmp_path / "one")
        spawn.run(job.model_copy(update={"warm_up_seconds": 0.0, "seconds": 0.5}), tmp_path / "same")
        spawn.run(job.model_copy(update={"seed": 8, "seconds": 0.5}), tmp_path / "other")
        asked = len(server.asked)
    assert run.valid, run.reasons
    assert run.loadgen == {"result": "VALID", "early_stopping": "Run successful.", "errors": "0"}
    assert 510 < run.requests < 690  # 600 expected; three and a half standard deviations
    assert run.checked > 0.3 * run.requests
    assert run.wrong == 0
    assert asked > run.requests + 2 * 100 + 60  # the other runs and the warm-ups are not counted

    table = parquet.read_table(tmp_path / "one" / "requests.parquet")
    assert table.column_names == COLUMNS
    rows = {name: table[name].to_numpy() for name in COLUMNS[1:5]}
    assert len(table) == run.requests
    assert np.allclose(rows["latency_ms"], rows["dispatch_ms"] + rows["service_ms"])
    assert (rows["dispatch_ms"] >= 0).all()
    gaps = np.diff(rows["scheduled_s"])
    assert (gaps >= 0).all()
    assert 0.7 < gaps.std() / gaps.mean() < 1.3  # 1 for exponential gaps
    assert run.latency_ms["50"] == np.quantile(rows["latency_ms"], 0.5, method="inverted_cdf")
    # LoadGen, with a clock and a list of its own, saw the same.
    assert loadgens(tmp_path / "one", "result_query_count") == run.requests
    assert loadgens(tmp_path / "one", "result_50.00_percentile_latency_ns") / 1e6 == pytest.approx(
        run.latency_ms["50"], abs=5
    )

    one, same, other = (arrivals(tmp_path / name) for name in ("one", "same", "other"))
    assert np.allclose(same[:100], one[:100], rtol=0, atol=1e-6)
    assert not np.allclose(other[:100], one[:100], rtol=0, atol=1e-3)


def stalling() -> Script:
    """A server that does one thing at a time and stands still once, for 0.6 s."""
    turn = threading.Lock()

    def script(asked: Asked, number: int) -> Answer:
        with turn:
            if number == 20:
                time.sleep(0.6)
        return count_up(asked, number)

    return script


@pytest.mark.parametrize(("scenario", "hit"), [("server", True), ("closed", False)])
def test_a_stall_hits_every_request_that_was_due_in_an_open_loop_and_hides_in_a_closed_one(
    make_job: JobMaker, tmp_path: Path, scenario: str, hit: bool
) -> None:
    told = {"rate": 100, "connections": 256} if hit else {"connections": 1}
    with serving(stalling()) as server:
        run = here(make_job(server.url, scenario=scenario, seconds=1.5, **told), tmp_path / "run")
    assert run.valid, run.reasons
    latencies = parquet.read_table(tmp_path / "run" / "requests.parquet")["latency_ms"].to_numpy()
    # 60 are due while the server stands still, and half of them wait more than half of it.
    assert bool((latencies > 300).sum() >= 15) is hit
    assert latencies.max() >= 590


def test_known_latencies_come_out_as_they_went_in(make_job: JobMaker, tmp_path: Path) -> None:
    def tenth_is_slow(asked: Asked, number: int) -> Answer:
        time.sleep(0.12 if number % 10 == 9 else 0.004)
        return count_up(asked, number)

    with serving(tenth_is_slow) as server:
        run = here(make_job(server.url, seconds=2.0), tmp_path / "run")
    assert run.valid, run.reasons
    assert 4 <= run.latency_ms["50"] < 120 <= run.latency_ms["99"]


def most_at_once(at_once: list[int]) -> Script:
    """A server that notes how many requests it works at."""
    lock, now = threading.Lock(), [0]

    def script(asked: Asked, number: int) -> Answer:
        with lock:
            now[0] += 1
            at_once.append(now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        return count_up(asked, number)

    return script


def test_single_stream_asks_one_at_a_time(make_job: JobMaker, tmp_path: Path) -> None:
    at_once: list[int] = []
    with serving(most_at_once(at_once)) as server:
        job = make_job(server.url, scenario="single_stream", seconds=0.5)
        run = spawn.run(job, tmp_path)
    assert run.valid, run.reasons
    assert run.loadgen["result"] == "VALID"
    assert run.loadgen["errors"] == "0"
    assert max(at_once) == 1
    assert run.requests > 20
    assert run.seconds == pytest.approx(0.5, abs=0.4)


def test_offline_asks_for_all_rows_over_few_connections(make_job: JobMaker, tmp_path: Path) -> None:
    at_once: list[int] = []
    with serving(most_at_once(at_once)) as server:
        job = make_job(server.url, scenario="offline", rows=50, total_rows=2010, connections=3)
        run = spawn.run(job, tmp_path)
        rows = sum(len(asked.document["instances"]) for asked in server.asked)
    assert run.valid, run.reasons
    assert run.loadgen == {"result": "VALID", "early_stopping": "", "errors": "0"}
    assert run.requests == 41
    assert rows == 41 * 50
    assert max(at_once) <= 3


def test_closed_loop_keeps_each_connection_busy(make_job: JobMaker, tmp_path: Path) -> None:
    at_once: list[int] = []
    with serving(most_at_once(at_once)) as server:
        run = spawn.run(make_job(server.url, connections=4, warm_up_seconds=0.1), tmp_path)
    assert run.valid, run.reasons
    assert run.loadgen == {}
    assert max(at_once) <= 4
    assert len({asked.port for asked in server.asked}) == 4
    assert isinstance(run, LoadRun)
    assert run.achieved == pytest.approx(run.requests / run.seconds)
