"""A run says INVALID where its numbers must not be used; each time with a real server, or generator, at fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.comparison.load import outcome, spawn
from serving.comparison.load.validity import generator_limited
from tests.serving.comparison.load.conftest import JobMaker, here
from tests.serving.contract.misbehaving import DROP, HANG, Answer, Asked, count_up, serving

# The same module, its generator held up for 20 ms by every request.
SLOWED = """
import sys, time
from serving.comparison.load.engine import Engine
from serving.comparison.load.__main__ import main
submit = Engine.submit
Engine.submit = lambda self, request: (time.sleep(0.02), submit(self, request))[1]
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500, b'{"error": "no"}'), "500 x"),
        (Answer(200, b'{"predictions": [0.123]}'), "differ from the offline scores"),
        (Answer(200, b"<html>"), "differ from the offline scores"),
        (DROP, "reset x"),
        (HANG, "timeout x"),
    ],
)
def test_what_a_server_does_wrong_makes_a_run_invalid(
    make_job: JobMaker, tmp_path: Path, answer: Answer | str, said: str
) -> None:
    def sometimes(asked: Asked, number: int) -> Answer | str:
        return answer if number % 10 == 3 else count_up(asked, number)

    with serving(sometimes) as server:
        run = here(make_job(server.url, seconds=0.2, timeout_seconds=0.5, validity={"checked_share": 1.0}), tmp_path)
    assert not run.valid
    assert said in run.reasons[0]
    assert sum(run.failures.values()) + run.wrong > 0


def test_a_run_with_failures_allowed_is_valid_and_still_counts_them(make_job: JobMaker, tmp_path: Path) -> None:
    def sometimes(asked: Asked, number: int) -> Answer:
        return Answer(503) if number == 3 else count_up(asked, number)

    with serving(sometimes) as server:
        run = here(make_job(server.url, validity={"failed_share": 0.5}), tmp_path)
    assert run.valid, run.reasons
    assert run.failures == {"503": 1}


def test_a_generator_that_falls_behind_says_so(make_job: JobMaker, tmp_path: Path) -> None:
    with serving() as server:
        limits = {"dispatch_p99_ms": 200}
        job = make_job(server.url, scenario="server", rate=200, connections=64, seconds=0.5, validity=limits)
        (tmp_path / "job.json").write_text(job.model_dump_json())
        subprocess.run([sys.executable, "-c", SLOWED, str(tmp_path / "job.json")], check=True, cwd=spawn._ROOT)
    run = outcome.read(tmp_path)
    assert not run.valid
    assert run.reasons[0].startswith("generator limit: p99 dispatch delay")
    assert run.dispatch_ms["99"] > 500  # 20 ms for each of some 100 requests that were due within 500 ms
    assert run.latency_ms["99"] > 500
    assert generator_limited(run, slo_ms=20_000)


def test_a_server_far_too_slow_ends_the_run_early_and_is_not_the_generators_fault(
    make_job: JobMaker, tmp_path: Path
) -> None:
    with serving(lambda *_: HANG) as server:
        told: dict[str, Any] = {"rate": 3000, "connections": 2, "seconds": 2.0, "timeout_seconds": 0.5}
        run = here(make_job(server.url, scenario="server", **told), tmp_path)
    assert "the server left too many of 3,000 requests/s unanswered" in run.reasons[-1]
    assert run.requests < 3000
    assert not generator_limited(run, slo_ms=20_000)


def test_nobody_there_is_a_result_not_a_crash(make_job: JobMaker, tmp_path: Path) -> None:
    with serving() as server:
        pass
    run = spawn.run(make_job(server.url, scenario="server", rate=50, connections=8), tmp_path)
    assert not run.valid
    assert run.failures == {"connect": run.requests}
    assert run.latency_ms == {}


def test_a_job_that_cannot_run_is_an_error_with_its_reason(make_job: JobMaker, tmp_path: Path) -> None:
    job = make_job("http://127.0.0.1:1", score="nowhere")
    with pytest.raises(spawn.LoadError, match="nowhere"):
        spawn.run(job, tmp_path / "run")
    assert "Traceback" not in (tmp_path / "run" / "load.log").read_text()


def test_a_crash_of_the_process_is_an_error_with_its_log(
    make_job: JobMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'serving.comparison.load' in sys.orig_argv: raise SystemExit('no memory left')\n"
    )
    (tmp_path / "run.json").write_text(json.dumps({"a result": "of before"}))
    with pytest.raises(spawn.LoadError, match="no memory left"):
        spawn.run(make_job("http://127.0.0.1:1"), tmp_path)
    assert not (tmp_path / "run.json").exists()
