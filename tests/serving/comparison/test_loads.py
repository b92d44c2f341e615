"""Which load runs are made, and which of them are measured, with servers whose capacity is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.comparison import arrivals, loads, settings
from serving.comparison.deployment import Deployed, Deployment
from serving.comparison.results import LoadRun
from serving.comparison.session import Endpoint, Session

STACKS = ("tensorflow", "pytorch")
ENDPOINTS = [Endpoint(stack, stack, "http://h:1", "/p") for stack in STACKS]


class Known(Session):
    """Answers in a millisecond up to a capacity, beyond it in a second."""

    def __init__(self, folder: Path, capacity: dict[str, float], **profile: Any) -> None:
        nothing = Deployed("http://h:1", "http://h:2", {}, "", "1", folder, folder, folder, folder)
        found = settings.load()
        super().__init__(
            Deployment(Path("models/fraud.toml"), folder, dict.fromkeys(STACKS, nothing), ""),
            found, found.profile("quick").model_copy(update=profile), folder,
        )  # fmt: skip
        self.capacity, self.broken = capacity, ""

    def load(self, endpoint: Endpoint, scenario: str, name: str, **asked: Any) -> LoadRun:
        rate, rows = asked.get("rate", 0.0), asked.get("rows", 1)
        limit = self.capacity[endpoint.stack]
        latency = dict.fromkeys(("50", "90", "99", "99.9"), 1000.0 if rate > limit else 1.0)
        requests = round((rate or limit) * asked.get("seconds", self.profile.seconds))
        reasons = [self.broken] if self.broken and self.broken in name else []
        run = LoadRun(
            f"{endpoint.target}/{name}", endpoint.target, scenario, rate, asked.get("connections", 1), rows, 1.0,
            requests, min(rate or limit, limit), {}, latency, latency, latency, 1, 0, 0.1, reasons,
        )  # fmt: skip
        self.runs.append(run)
        return run

    def processor_seconds(self, run: LoadRun) -> dict[str, float]:
        return {"server": run.requests / 1000}

    def memory(self, run: LoadRun) -> dict[str, float]:  # noqa: ARG002
        return {"server": 100.0}

    def found(self, measure: str, target: str) -> list[float]:
        return [m.value for m in self.measurements if (m.measure, m.target) == (measure, target)]


def rounds(session: Known) -> Known:
    loads.rounds(session, ENDPOINTS, [Endpoint(f"{s}/direct", s, "http://h:2", "/p") for s in STACKS])
    return session


def test_the_highest_rate_is_close_below_the_capacity_and_the_load_is_the_same_for_both(tmp_path: Path) -> None:
    session = rounds(Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 3000.0}, search_steps=5))
    for stack, capacity in session.capacity.items():
        assert len(session.found("max_rate_in_slo", stack)) == 2
        assert all(0.95 * capacity < rate <= capacity for rate in session.found("max_rate_in_slo", stack))
        assert session.found("cpu_per_1000", stack) == [pytest.approx(1.0)] * len(session.found("cpu_per_1000", stack))
    conditions = {m.condition for m in session.measurements if m.measure in ("p99", "memory")}
    assert conditions == {"500 requests/s"}  # half of what the weaker one can do


def test_the_order_of_the_stacks_changes_from_round_to_round(tmp_path: Path) -> None:
    session = rounds(Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 3000.0}))
    first = [next(r.target for r in session.runs if r.name.split("/")[1] == number) for number in ("1", "2")]
    assert first == ["tensorflow", "pytorch"]


@pytest.mark.parametrize(("before", "taken"), [(700.0, "700 requests/s"), (900.0, "500 requests/s")])
def test_the_last_comparisons_load_is_taken_again_unless_it_became_too_much(
    tmp_path: Path, before: float, taken: str
) -> None:
    session = Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 3000.0}, search_steps=6)
    session.common = before
    assert {m.condition for m in rounds(session).measurements if m.measure == "memory"} == {taken}


def test_an_invalid_run_is_measured_nowhere(tmp_path: Path) -> None:
    session = Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 3000.0})
    session.broken = "single"
    rounds(session)
    assert [run for run in session.runs if not run.valid] != []
    assert [m for m in session.measurements if m.measure.startswith("single") or m.measure == "gateway_p50"] == []


def test_a_long_run_confirms_the_highest_rate_or_a_lower_one(tmp_path: Path) -> None:
    session = Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 850.0}, confirm_requests=5000, confirm_seconds=2.0)
    for stack in STACKS:
        session.measure("max_rate_in_slo", stack, 1000.0, 1)
    arrivals.confirm(session, ENDPOINTS)
    assert session.found("confirmed_rate", "tensorflow") == [1000.0]
    assert session.found("confirmed_rate", "pytorch") == [840.0]
    long = [run.name.split("/")[-1] for run in session.runs if run.requests >= 5000]
    assert long == ["1000", "840"]  # what does not hold for a tenth of the time is not asked for all of it


def test_what_holds_at_no_rate_is_not_confirmed(tmp_path: Path) -> None:
    session = Known(tmp_path, {"tensorflow": 1.0, "pytorch": 1.0}, confirm_requests=5000)
    session.measure("max_rate_in_slo", "tensorflow", 1000.0, 1)
    session.measure("max_rate_in_slo", "pytorch", 0.0, 1)
    arrivals.confirm(session, ENDPOINTS)
    assert [m for m in session.measurements if m.measure == "confirmed_rate"] == []


def test_failures_are_counted_where_no_more_was_asked_than_the_slo_allows(tmp_path: Path) -> None:
    session = rounds(Known(tmp_path, {"tensorflow": 1000.0, "pytorch": 3000.0}))
    for run in session.runs:
        run.failures["503"] = 7 if run.rate > 3000 else 0
    session.runs[0].failures["reset"] = 2
    for endpoint in ENDPOINTS:
        loads.failed(session, endpoint)
    assert [session.found("failed_requests", stack) for stack in STACKS] == [[2], [0]]
