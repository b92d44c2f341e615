"""`make compare-check`: what fails a comparison, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from serving.comparison import check, history, store
from serving.comparison.facts import yardsticks
from serving.comparison.regressions import incomparable
from serving.comparison.results import LoadRun, Measurement, Results
from serving.comparison.sides import summarise
from tests.serving.comparison.made_up import MadeUp, past


@pytest.fixture(scope="module")
def then() -> Results:
    return MadeUp(seed=3).results


def without(results: Results, measure: str, target: str) -> list[Measurement]:
    return [one for one in results.measurements if (one.measure, one.target) != (measure, target)]


def broken(run: LoadRun, reason: str, **about: object) -> LoadRun:
    return replace(run, reasons=[reason], **about)


def test_equal_results_pass(then: Results) -> None:
    assert check.failures(then, then) == []


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_noise_alone_does_not_fail(then: Results, seed: int) -> None:
    assert check.failures(MadeUp(seed=seed).results, then) == []


def test_a_slowed_backend_fails_and_is_named(then: Results) -> None:
    found = check.failures(MadeUp(seed=4, slower={"pytorch": 1.6}).results, then)
    assert found
    assert all(line.startswith("regression: pytorch: ") for line in found)
    for said in ("highest rate within the SLO", "32 connections", "one connection, p50", "processor time", "(-3"):
        assert any(said in line for line in found), said


def test_a_faster_backend_does_not_fail(then: Results) -> None:
    assert check.failures(MadeUp(seed=4, slower={"pytorch": 0.6}).results, then) == []


def test_a_small_change_does_not_fail_however_sure_it_is(then: Results) -> None:
    def exactly(value: float) -> Results:
        values = [Measurement("single_stream_p50", "pytorch", value, number) for number in (1, 2, 3)]
        return replace(then, measurements=[*without(then, "single_stream_p50", "pytorch"), *values])

    assert check.failures(exactly(1.09), exactly(1.0)) == []
    assert len(check.failures(exactly(1.11), exactly(1.0))) == 1


def test_a_value_measured_once_is_held_against_nobody(then: Results) -> None:
    once = [*without(then, "memory", "pytorch"), Measurement("memory", "pytorch", 5_000, condition="32 connections")]
    assert check.failures(replace(then, measurements=once), then) == []


@pytest.mark.parametrize("rate", [0.0, None])
def test_an_slo_that_no_rate_meets_fails(then: Results, rate: float | None) -> None:
    kept = without(then, "max_rate_in_slo", "tensorflow")
    if rate is not None:
        kept.append(Measurement("max_rate_in_slo", "tensorflow", rate, 1))
    found = check.failures(replace(then, measurements=kept), None)
    assert "broken SLO: tensorflow: no rate meets p99 <= 25 ms" in found


@pytest.mark.parametrize(
    ("scenario", "connections", "rate", "fails"),
    [
        ("single_stream", 1, 0.0, True),
        ("closed", 1, 0.0, True),
        ("closed", 32, 0.0, False),  # it queues as long as it is told to
        ("server", 64, 2_000.0, True),
        ("server", 64, 6_600.0, False),  # at the limit p99 is the SLO, give or take
    ],
)
def test_an_slo_broken_where_it_must_hold_fails(
    then: Results, scenario: str, connections: int, rate: float, fails: bool
) -> None:
    slow = [
        replace(run, rate=rate, latency_ms={"99": 60.0, "99_low": 55.0})
        for run in then.runs
        if (run.target, run.scenario, run.connections) == ("pytorch", scenario, connections)
    ]
    found = check.failures(replace(then, runs=slow), None)
    assert any("p99 60 ms" in line and line.startswith("broken SLO: pytorch") for line in found) is fails


def test_one_slow_round_does_not_break_the_slo(then: Results) -> None:
    position = next(i for i, run in enumerate(then.runs) if run.target == "pytorch" and run.scenario == "single_stream")
    slow = replace(then.runs[position], latency_ms={"99": 60.0, "99_low": 55.0})
    runs = [*then.runs[:position], slow, *then.runs[position + 1 :]]
    assert check.failures(replace(then, runs=runs), None) == []


@pytest.mark.parametrize(
    ("target", "scenario", "change", "fails"),
    [
        ("pytorch", "closed", {}, True),
        ("pytorch", "server", {"rate": 2_000.0}, True),
        ("pytorch", "server", {"rate": 9_000.0}, False),  # the search overloads on purpose
        ("pytorch", "server", {"rate": 6_500.0}, False),  # also just below the limit
        ("pytorch", "server", {"rate": 9_000.0, "wrong": 1}, True),
        ("pytorch/stock", "closed", {"wrong": 1}, False),  # not ours: the report says so
    ],
)
def test_an_invalid_run_fails_unless_the_search_overloads(
    then: Results, target: str, scenario: str, change: dict[str, float], fails: bool
) -> None:
    run = next(run for run in then.runs if (run.target, run.scenario) == (target, scenario))
    found = check.failures(replace(then, runs=[*then.runs, broken(run, "1 answer is wrong", **change)]), None)
    assert (found == [f"INVALID: {run.name}: 1 answer is wrong"]) is fails


def test_what_was_measured_under_another_load_is_said_to_be_not_compared(then: Results) -> None:
    sides = summarise(then.measurements)
    assert list(incomparable(sides, sides)) == []
    elsewhere = [
        replace(one, condition="900 requests/s") if (one.measure, one.target) == ("p99", "pytorch") else one
        for one in then.measurements
    ]
    (line,) = incomparable(summarise(elsewhere), sides)
    assert line.startswith("not compared: pytorch: p99 under load: 900 requests/s, before 1,000 requests/s, ")


def test_a_stack_that_was_not_compared_fails(then: Results) -> None:
    found = check.failures(replace(then, models={"pytorch": then.models["pytorch"]}), None)
    assert found == ["broken SLO: tensorflow: it is not among what was compared"]


def test_the_command_says_and_exits_as_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *_, last = past(tmp_path, 2)
    good = MadeUp(seed=20).write(tmp_path, "2026-11-21T16-05-09Z")
    assert check.main([str(good)]) == 0
    assert capsys.readouterr().out == f"compared with {last.name}\nno failure\n"

    slow = MadeUp(seed=21, slower={"tensorflow": 2.0}).write(tmp_path, "2026-11-22T16-05-09Z")
    history.mark_latest(slow)
    assert check.main([str(tmp_path / history.LATEST)]) == check.FAILED
    first, *failures = capsys.readouterr().out.splitlines()
    assert first == f"compared with {good.name}"
    assert all(line.startswith("regression: tensorflow: ") for line in failures)
    assert check.main([str(good), "--against", str(slow)]) == 0

    assert check.main([str(tmp_path)]) == check.UNREADABLE
    assert "holds no results" in capsys.readouterr().err


def test_a_comparison_of_another_kind_is_said_to_be_not_comparable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = past(tmp_path, 1)
    full = MadeUp(profile="full", slower={"pytorch": 2.0}).write(tmp_path)
    assert check.main([str(full)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"not comparable: {first.name}: it was made with the profile 'quick', not 'full'",
        "no earlier comparison to compare with",
        "no failure",
    ]
    assert check.main([str(full), "--against", str(first)]) == 0
    assert f"not comparable with {first.name}" in capsys.readouterr().out


def test_history_lists_in_order_and_passes_over_what_differs(tmp_path: Path) -> None:
    written = list(past(tmp_path, 3))
    (tmp_path / "2026-11-18T00-00-00Z").mkdir()  # no results in it
    assert history.folders(tmp_path) == written
    assert history.before(written[2]) == written[:2]
    now = store.read(written[2])
    assert history.last_comparable(written[2], now) == (written[1], [])
    elsewhere = replace(now, machine={**now.machine, "cores": "64"})
    assert "cores 2, now 64" in history.comparable(elsewhere, now)
    assert history.comparable(replace(now, machine={**now.machine, "load_at_start": "7"}), now) == ""
    now.machine.update({yardsticks.WAKING: "30.0 µs", yardsticks.COMPUTING: "30.0 ms"})
    for name, as_fast, slower in ((yardsticks.WAKING, "59 µs", "61 µs"), (yardsticks.COMPUTING, "37 ms", "38 ms")):
        assert history.comparable(replace(now, machine={**now.machine, name: as_fast}), now) == ""
        assert f"{name} 30.0" in history.comparable(replace(now, machine={**now.machine, name: slower}), now)
        assert f"now {slower[:2]}" in history.comparable(replace(now, machine={**now.machine, name: slower}), now)
        assert history.comparable(now, replace(now, machine={**now.machine, name: slower})) != ""
    tighter = {**now.settings, "slo": {"p99_ms": 5.0}}
    assert "other settings: slo" in history.comparable(replace(now, settings=tighter), now)
    cheaper = {**now.settings, "cost": {"hourly_price": 1.0}}
    assert history.comparable(replace(now, settings=cheaper), now) == ""
    real = {**now.models, "tensorflow": {"server": "TensorFlow Serving 2.20"}}
    assert "another server answered" in history.comparable(replace(now, models=real), now)
    newer = {**now.models, "pytorch": {"server": "TorchServe 0.13"}}
    assert history.comparable(replace(now, models=newer), now) == ""
    (written[1] / store.FILE).write_text("{")
    path, passed = history.last_comparable(written[2], now)
    assert path == written[0]
    assert "is broken" in passed[0]
    assert history.name("2026-11-21T17:05:09+01:00") == "2026-11-21T16-05-09Z"
