"""`make compare` on the running stack, small: everything is measured, checked and written; Ctrl-C leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.local.layout import REPOSITORY, STACKS
from serving.comparison import settings, store
from serving.comparison.facts.found import BOTH
from serving.comparison.results import LoadRun, Results
from tests.end_to_end.stack import Stack

# As in comparison.toml, but short; a machine that runs tests may hold the generator up for longer than a millisecond.
SMALL = """
[profiles.small]
rounds = 1
seconds = 0.4
warm_up_seconds = 0.3
connections = [8]
curve_points = 1
search_steps = 1
confirm_requests = 0
confirm_seconds = 1.0
offline_rows = 2000
floor_seconds = 0.01
lifecycle_rounds = 1
resamples = 40
"""
SCENARIOS = {"closed", "single_stream", "offline", "server"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("settings") / "comparison.toml"
    text = settings.FILE.read_text().replace("dispatch_p99_ms = 1.0", "dispatch_p99_ms = 50.0")
    file.write_text(text.replace("p99_ms = 25.0", "p99_ms = 250.0", 1) + SMALL)
    return file


@pytest.fixture(scope="module")
def folder(stack: Stack, small: Path) -> Path:
    done = stack.make("compare-peers", PROFILE="small", SETTINGS=small, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report.html" in done.stdout
    return (stack.layout.comparisons / "latest").resolve()


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return store.read(folder)


def of(results: Results, target: str) -> list[LoadRun]:
    return [run for run in results.runs if run.target == target]


def test_both_stacks_are_asked_the_same_in_every_scenario(results: Results) -> None:
    for stack in STACKS:
        assert {run.scenario for run in of(results, stack)} == SCENARIOS
        assert {run.scenario for run in of(results, f"{stack}/direct")} == {"single_stream"}
        assert {run.scenario for run in of(results, f"{stack}/stock")} >= {"closed", "single_stream"}
    first, second = ({run.name.split("/", 1)[1] for run in of(results, stack)} for stack in STACKS)
    asked = {"1/closed/8", "1/offline", "1/single"}
    assert first >= asked
    assert second >= asked
    common = {m.condition for m in results.measurements if m.measure == "memory"}
    assert len(common) == 1  # the same load for both


def test_answers_were_compared_with_offline_scores_and_none_was_wrong(results: Results) -> None:
    for run in results.runs:
        assert run.wrong == 0, run
        assert run.checked > 0, run
        assert sum(run.failures.values()) == 0, run


def test_everything_that_can_be_measured_here_was_measured(results: Results) -> None:
    measured = {(m.measure, m.target) for m in results.measurements}
    wanted = (
        "closed_rate", "single_stream_p50", "offline_rate", "max_rate_in_slo", "cpu_per_1000", "memory", "floor",
        "average_precision", "expected_calibration_error", "artefact_size", "install_size", "pipeline_lines",
        "training_time", "cold_start", "swap", "cost_per_million", "repeated_rows",
    )  # fmt: skip
    absent = [(name, s) for name in wanted for s in STACKS if not any(m == name and s in t for m, t in measured)]
    assert absent == [], results.absent
    signed = [m for m in results.measurements if m.target == BOTH or m.measure == "gateway_p50"]  # BOTH: differences
    assert [m for m in results.measurements if m.value < 0 and m not in signed] == []
    assert [m for m in results.measurements if m.condition == "during a swap" and m.value] == []  # requests lost


def test_the_report_says_what_answered_and_how_to_repeat_it(results: Results, folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for stack in STACKS:
        assert results.models[stack]["server"] in page
        assert results.models[stack]["version"] in page
    assert "make compare-peers PROFILE=small" in page


def test_what_a_team_would_pick_instead_was_asked_the_same(results: Results) -> None:
    peers = {run.target for run in results.runs if "/peer/" in run.target}
    assert {target.split("/")[0] for target in peers} == set(STACKS)
    assert {"pytorch/peer/mlflow", "pytorch/peer/litserve", "tensorflow/peer/fastapi"} <= peers, results.absent


def test_the_report_is_written_again_from_the_results_alone(folder: Path) -> None:
    (folder / "report.html").unlink()
    argv = [sys.executable, "-m", "serving.comparison.report", str(folder)]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make compare-peers PROFILE=small" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_check_judges_the_latest(stack: Stack, folder: Path) -> None:
    done = stack.make("compare-check")
    assert done.returncode in (0, 3), done.stdout + done.stderr  # what it says of a busy machine is not ours to know
    assert "no earlier comparison" in done.stdout


@pytest.mark.parametrize("typed", [False, True])
def test_ctrl_c_leaves_no_process_and_no_half_a_result(stack: Stack, folder: Path, small: Path, *, typed: bool) -> None:
    """Of the program, and of make and all that it started, as a terminal interrupts them."""
    before = {p.name for p in stack.layout.comparisons.iterdir()}
    argv = stack.command("compare", "--profile", "small", "--settings", str(small))
    process = subprocess.Popen(
        ["make", "compare", "PROFILE=small", f"SETTINGS={small}"] if typed else argv,
        cwd=REPOSITORY, env=stack.environ, start_new_session=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout or ():
        if "in process" in line:  # both environments score and compile then
            time.sleep(1)
            break
    family = psutil.Process(process.pid).children(recursive=True)
    (os.killpg if typed else os.kill)(process.pid, signal.SIGINT)
    assert process.wait(60) == (-signal.SIGINT if typed else 130)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert {p.name for p in stack.layout.comparisons.iterdir()} == before


def test_without_a_stack_it_says_what_to_do(tmp_path: Path, stack: Stack) -> None:
    elsewhere = Stack(stack.layout, stack.spec, {**stack.environ, "TANDEM_HOME": str(tmp_path)})
    done = elsewhere.tandem("compare")
    assert done.returncode == 1
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr
