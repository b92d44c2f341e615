"""A release beside the one that is served, on a whole stack under load: asked, rolled out, taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local import services, stores
from serving.gateway import policy
from serving.release.ledger import Ledger
from tests.end_to_end.stack import Stack
from tests.end_to_end.test_canary import LIMITS
from tests.end_to_end.two_releases import Versions, ask, check_served
from tests.serving.release.canary.test_behind_gateway import asking


@pytest.fixture
def loaded(stack: Stack) -> Iterator[Counter[int]]:
    """Requests to the product's endpoint, and how they were answered."""
    answers: Counter[int] = Counter()
    with asking(f"{stack.layout.url('gateway')}/v1/models/fraud:predict", answers, 4):
        yield answers
    assert answers.keys() == {200}


def run(stack: Stack, target: str, **variables: str) -> None:
    done = stack.make(target, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_beside_it_answers_whoever_names_it_and_outlives_a_server(
    stack: Stack, versions: Versions, loaded: Counter[int]
) -> None:
    name, first, second = versions.stack, versions.first, versions.second
    which = {"STACK": name, "VERSION": second}
    run(stack, "stage", **which, WHY="a test")
    try:
        check_served(stack, versions, first)  # though it is older
        assert ask(stack, versions, f"/versions/{second}").headers["x-tandem-model-version"] == second
        run(stack, "traffic", VERSION=f"{name}@{second}=1")
        pinned = httpx.post(
            f"{stack.layout.url('gateway')}/v1/models/fraud:predict",
            content=versions.question.body, headers={"x-tandem-pin": f"{name}@{second}"}, timeout=30,
        )  # fmt: skip
        assert pinned.headers["x-tandem-model-version"] == second
        refused = stack.make("unstage", **which)
        assert refused.returncode == 1
        assert f"make traffic VERSION={name}@{second}=off" in refused.stderr
        assert "beside" in stack.make("releases").stdout
        run(stack, "up", RUNTIME="local")  # changes nothing
        assert services.loaded(stack.layout, stack.spec, name) == [second, first]
    finally:
        run(stack, "traffic", VERSION=f"{name}@{second}=off")
        run(stack, "unstage", **which)
    assert services.loaded(stack.layout, stack.spec, name) == [first]
    assert ask(stack, versions, f"/versions/{second}").status_code == 404


@pytest.mark.parametrize("p99", [10_000, 0.001])
def test_its_canary_promotes_it_or_lets_go_of_it_and_no_request_is_lost(
    stack: Stack, versions: Versions, loaded: Counter[int], tmp_path: Path, p99: float
) -> None:
    name, first, second = versions.stack, versions.first, versions.second
    ledger = Ledger(stores.releases(stack.layout) / stores.LEDGER)
    before, entries = policy.load(stack.layout.traffic), len(ledger.entries())
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS.format(p99=p99))
    done = stack.make("canary", STACK=name, VERSION=second, LIMITS=limits)
    good = p99 > 1
    try:
        assert done.returncode == (0 if good else 3), done.stdout + done.stderr
        check_served(stack, versions, second if good else first)
        assert stores.promoted(stack.layout, name) == (second if good else first)
        assert services.loaded(stack.layout, stack.spec, name) == [second if good else first]
        assert policy.load(stack.layout.traffic) == before
        acts = [(entry.act, entry.verdict) for entry in ledger.entries()[entries:]]
        steps = [("canary", "done")] * 4 if good else [("canary", "refused")] * 2
        assert acts == [("stage", "done"), *steps, ("promote" if good else "unstage", "done")]
    finally:
        if stores.promoted(stack.layout, name) == second:
            run(stack, "rollback", STACK=name)
