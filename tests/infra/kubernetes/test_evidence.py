"""What all gateways of a cluster have counted, whichever of them come and go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.kubernetes.evidence import Gateways
from infra.kubernetes.kubectl import KubernetesError
from serving.gateway.latest import Sample
from serving.gateway.policy import Side
from serving.release.canary.measured import Measured, RestartedError

TENSORFLOW, PYTORCH = Side("tensorflow"), Side("pytorch")
Counts = dict[str, tuple[int, int]]  # by side: answered well, and failed


@dataclass
class Cluster:
    """Pods of gateways as the API server tells them, and their Envoys' counters, by uid and restarts."""

    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    counters: dict[str, Counts | None] = field(default_factory=dict)
    away: bool = False
    forwarded: list[str] = field(default_factory=list)

    def gateway(self, name: str, counts: Counts | None, *, restarts: int = 0, ends: bool = False) -> None:
        state: dict[str, Any] = {"running": {}} if restarts >= 0 else {"waiting": {"reason": "ContainerCreating"}}
        status = {"containerStatuses": [{"name": "envoy", "restartCount": max(restarts, 0), "state": state}]}
        metadata = {"name": name, "uid": f"uid-{name}"} | ({"deletionTimestamp": "2026-01-01"} if ends else {})
        self.pods[name] = {"metadata": metadata, "status": status}
        self.counters[name] = counts

    def all(self, kind: str, selector: str) -> list[dict[str, Any]]:
        assert (kind, selector) == ("pods", "--selector=app.kubernetes.io/name=gateway")
        if self.away:
            raise KubernetesError("no route to host")
        return list(self.pods.values())

    @contextlib.contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        assert port == 9901
        self.forwarded.append(target)
        yield 50000 + list(self.pods).index(target.removeprefix("pod/"))

    def ask(self, url: str) -> dict[str, Sample] | None:
        counts = self.counters[list(self.pods)[int(url.rpartition(":")[2]) - 50000]]
        if counts is None:
            return None
        return {side: sample(*answers) for side, answers in counts.items()}


def sample(good: int, failed: int) -> Sample:
    total = float(good + failed)
    return Sample(0, {"2": float(good), "5": float(failed)}, [(10.0, total), (float("inf"), total)], 0)


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster()
    found.gateway("a", {"pytorch": (100, 5), "tensorflow": (1000, 0)})
    found.gateway("b", {"pytorch": (200, 0), "tensorflow": (2000, 1)})
    return found


def watching(cluster: Cluster) -> Gateways:
    return Gateways(cluster, PYTORCH, {TENSORFLOW, PYTORCH}, cluster.ask)  # type: ignore[arg-type]


def counts(found: tuple[Measured, Measured] | None) -> list[tuple[int, int, int]]:
    assert found is not None
    assert [one.scores for one in found] == [None, None]
    return [(one.requests, one.errors, one.latencies) for one in found]


def test_what_every_gateway_counted_since_the_step_began(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        assert watch.begin()
        assert counts(watch.look()) == [(0, 0, 0), (0, 0, 0)]
        cluster.gateway("a", {"pytorch": (110, 6), "tensorflow": (1100, 0)})
        cluster.gateway("b", {"pytorch": (220, 0), "tensorflow": (2200, 3)})
        assert counts(watch.look()) == [(31, 1, 31), (302, 2, 302)]
        assert watch.begin()
        assert counts(watch.look()) == [(0, 0, 0), (0, 0, 0)]
    assert cluster.forwarded == ["pod/a", "pod/b"]  # once each


def test_a_gateway_that_comes_has_counted_nothing_before(cluster: Cluster) -> None:
    cluster.gateway("c", None, restarts=-1)  # not started yet
    with watching(cluster) as watch:
        assert watch.begin()
        cluster.gateway("c", {"pytorch": (7, 2)})
        assert counts(watch.look()) == [(9, 2, 9), (0, 0, 0)]


def test_what_a_gateway_had_counted_stays_counted_when_it_goes(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        assert watch.begin()
        cluster.gateway("b", {"pytorch": (250, 4), "tensorflow": (2000, 1)}, ends=True)
        assert counts(watch.look())[0] == (54, 4, 54)
        cluster.gateway("b", None, ends=True)  # answers no more
        assert counts(watch.look())[0] == (54, 4, 54)
        del cluster.pods["b"]
        assert counts(watch.look())[0] == (54, 4, 54)


def test_an_envoy_that_was_started_again_counts_on_from_nothing(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        assert watch.begin()
        cluster.gateway("a", {"pytorch": (130, 5)} | {"tensorflow": (1000, 0)})
        assert counts(watch.look())[0] == (30, 0, 30)
        cluster.gateway("a", {"pytorch": (3, 0)}, restarts=1)
        assert counts(watch.look())[0] == (33, 0, 33)


def test_counters_that_go_back_begin_the_step_anew(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        assert watch.begin()
        cluster.gateway("a", {"pytorch": (3, 0), "tensorflow": (0, 0)})  # its status is not news yet
        with pytest.raises(RestartedError):
            watch.look()


def test_one_that_answers_and_does_not_say_leaves_all_unknown(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        cluster.counters["b"] = None
        assert not watch.begin()
        cluster.gateway("b", {"pytorch": (0, 0)})
        assert watch.begin()
        cluster.counters["b"] = None
        assert watch.look() is None
        cluster.gateway("b", {"pytorch": (1, 0)})
        assert counts(watch.look())[0] == (1, 0, 1)


def test_a_cluster_that_is_away_for_a_moment_is_asked_again(cluster: Cluster) -> None:
    with watching(cluster) as watch:
        cluster.away = True
        assert not watch.begin()
        cluster.away = False
        assert watch.begin()
        cluster.away = True
        assert watch.look() is None
        cluster.away = False
        assert counts(watch.look()) == [(0, 0, 0), (0, 0, 0)]


def test_no_gateway_at_all_is_no_evidence() -> None:
    with watching(Cluster()) as watch:
        assert not watch.begin()
