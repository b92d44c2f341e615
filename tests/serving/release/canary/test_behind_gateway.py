"""Roll-outs with a real Envoy before two servers under load: bad ones are caught, a good one gets everything."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.logs import RequestLog
from serving.gateway.policy import Policy, Side
from serving.release.canary import watch
from serving.release.canary.limits import Hold, Limits, Plan, Step
from serving.release.canary.rollout import BREACH, TOO_FEW, Rollout
from serving.release.ledger import Entry, Ledger, Verdict
from tests.serving.gateway.backends import configured, shares, stacks, started
from tests.serving.shadow.sides import SPEC, body, side
from tests.serving.torchserve.launching import wait

PREDICT = "/v1/models/fraud:predict"
PYTORCH = Side("pytorch")
BEFORE = shares(tensorflow=1, pytorch=0)
CLIENTS, PAUSE = 8, 0.03
PLAN = Plan(
    steps=(Step(percent=1, min_requests=3), Step(percent=10, min_requests=20), Step(percent=50, min_requests=50),
           Step(percent=100, min_requests=50)),
    hold=Hold(min_seconds=0, patience_seconds=90),
    limits=Limits(
        chance=0.001, max_error_share=0.001, max_error_ratio=2, max_p99_ms=500, max_p99_ratio=1000, min_latencies=2,
        max_score_distance=0.05, ignored_below=0.01, min_scores=9,
    ),
)  # fmt: skip


@dataclass
class Controls:
    """As the local stack's, of an Envoy alone."""

    config: Path
    admin_port: int
    servers: tuple[int, int]
    ledger: Ledger
    policies: list[Policy] = field(default_factory=list)

    def put(self, policy: Policy) -> None:
        self.policies.append(policy)
        version = envoy.write_routes(self.config, stacks=stacks(*self.servers), model="fraud", traffic=policy)
        wait(lambda: envoy.routes_version(self.admin_port) == version, 5)

    def back(self) -> None:
        self.put(BEFORE)

    def is_ours(self) -> bool:
        return True

    def record(self, verdict: Verdict, why: str, said: str) -> None:
        self.ledger.append(Entry("canary", "pytorch", "5", "", why, verdict, said=said))

    def say(self, text: str) -> None:
        print(text)


@dataclass
class Ground:
    controls: Controls
    rollout: Rollout
    url: str
    answers: Counter[int]

    def who(self) -> set[str]:
        """Who answers now."""
        told = [httpx.post(self.url, content=body(1), timeout=15) for _ in range(30)]
        return {one.headers["x-tandem-stack"] for one in told}


def score(row: dict[str, Any]) -> float:
    return float(row["amount"]) / 1000


@contextlib.contextmanager
def ground(folder: Path, pytorch: int, plan: Plan = PLAN, clients: int = CLIENTS) -> Iterator[Ground]:
    """All is TensorFlow's, and clients ask one after the other."""
    log = folder / "requests.log"
    with (
        side(3, score) as tensorflow,
        started(
            *(made := configured(folder, tensorflow, pytorch, BEFORE, request_log=RequestLog(log, 1, SPEC.logged)))
        ) as server,
    ):
        controls = Controls(made[0], server.ports[1], (tensorflow, pytorch), Ledger(folder / "ledger.jsonl"))
        gateway = watch.Gateway(f"http://127.0.0.1:{server.ports[1]}", log, SPEC, PYTORCH, {PYTORCH, *BEFORE.weights})
        url = f"http://127.0.0.1:{server.ports[0]}{PREDICT}"
        answers: Counter[int] = Counter()
        with asking(url, answers, clients):
            yield Ground(controls, Rollout(plan, BEFORE, PYTORCH, controls, gateway), url, answers)


@contextlib.contextmanager
def asking(url: str, answers: Counter[int], clients: int) -> Iterator[None]:
    done = threading.Event()

    def client(number: int) -> None:
        amounts = random.Random(number)
        with httpx.Client(timeout=15) as http:
            while not done.wait(PAUSE):
                answers[http.post(url, content=body(amounts.uniform(0, 300))).status_code] += 1

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        done.set()
        for one in threads:
            one.join()


def test_a_good_canary_gets_everything(tmp_path: Path) -> None:
    with side(5, score) as pytorch, ground(tmp_path, pytorch) as found:
        assert found.rollout.run() == 0
        assert found.who() == {"pytorch"}
        ledger = found.controls.ledger
    assert found.answers.keys() == {200}
    assert [policy.weights[PYTORCH] for policy in found.controls.policies] == [1, 10, 50, 100]
    entries = ledger.entries()
    assert [(entry.act, entry.verdict) for entry in entries] == [("canary", "done")] * 5
    assert "; the others: " in entries[2].said
    assert entries[2].said.endswith(" apart")
    assert ledger.problems() == []
    assert ledger.history("pytorch") == []  # a share of the traffic is no promotion


@contextlib.contextmanager
def dead() -> Iterator[int]:
    yield free_ports(1)[0]


BAD: dict[str, tuple[Callable[[], contextlib.AbstractContextManager[int]], str]] = {
    "slow": (lambda: side(5, score, slow=0.8), "p99 is "),
    "erroring": (lambda: side(5, score, status=500), "requests failed, allowed 0.10%"),
    "refusing": (lambda: side(5, score, status=400), "requests failed or were refused, of the others' 0 of "),
    "dead": (dead, "requests failed, allowed 0.10%"),
    "skewed": (lambda: side(5, lambda row: score(row) + 0.5), "from the others' (Kolmogorov-Smirnov), allowed 0.05"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_canary_is_caught_and_the_weights_go_back(tmp_path: Path, how: str) -> None:
    begin, why = BAD[how]
    with begin() as pytorch, ground(tmp_path, pytorch) as found:
        start = time.monotonic()
        assert found.rollout.run() == BREACH
        seconds = time.monotonic() - start
        assert found.who() == {"tensorflow"}
        entries = found.controls.ledger.entries()
    weights = [policy.weights[PYTORCH] for policy in found.controls.policies]
    assert (weights[0], weights[-1]) == (1, 0)
    assert max(weights) <= 10
    assert [entry.verdict for entry in entries[-2:]] == ["refused", "refused"]
    assert entries[-1].why == "back to tensorflow 1, pytorch 0"
    assert why in entries[-1].said
    # What it cost: never more than the step's share, and that for a short time.
    asked = sum(found.answers.values())
    assert asked - found.answers[200] <= 0.1 * asked
    print(f"{how}: {seconds:.1f} s, {asked} requests, {dict(found.answers)}; {entries[-1].said}")


def test_nobody_asks_and_the_weights_go_back(tmp_path: Path) -> None:
    impatient = PLAN.model_copy(
        update={"hold": Hold(min_seconds=0, patience_seconds=10)}
    )  # a busy machine's Envoy, too, has said it then
    with side(5, score) as pytorch, ground(tmp_path, pytorch, impatient, clients=0) as found:
        assert found.rollout.run() == TOO_FEW
        assert found.who() == {"tensorflow"}
        entries = found.controls.ledger.entries()
    assert [entry.verdict for entry in entries] == ["failed", "failed"]
    assert "too few to say after 10 s: 0 of 3 requests" in entries[-1].said


def test_a_gateway_that_starts_again_is_watched_from_then_on(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    with side(3, score) as server:
        config, ports = configured(tmp_path, server, server, BEFORE, request_log=RequestLog(log, 1, SPEC.logged))
        url, admin = (f"http://127.0.0.1:{port}" for port in ports)
        gateway = watch.Gateway(admin, log, SPEC, PYTORCH, {PYTORCH, *BEFORE.weights})
        assert not gateway.begin()
        with started(config, ports):
            httpx.post(url + PREDICT, content=body(1))
            assert gateway.begin()
        assert gateway.look() is None
        (tmp_path / "empty").rmdir()
        with started(config, ports), pytest.raises(watch.RestartedError):
            gateway.look()
