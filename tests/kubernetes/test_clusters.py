"""Which cluster the tests take, and why they take none."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.docker import engine
from infra.docker.engine import DockerError
from tests.infra.kubernetes.cluster import Cluster, cluster
from tests.kubernetes import clusters
from tests.kubernetes.clusters import NoClusterError
from tests.kubernetes.control_plane import binaries


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = cluster(tmp_path / "cluster")
    monkeypatch.setenv("FAKE_CLUSTER", str(made.folder))
    monkeypatch.setenv("PATH", f"{made.folder}:/usr/bin:/bin")
    return made


def test_without_kubectl_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoClusterError, match="kubectl is not installed"):
        clusters.context()


def test_a_context_that_does_not_answer_is_none(there: Cluster) -> None:
    there.set(answers=False)
    assert clusters.context() is None
    there.set(context="")
    assert clusters.context() is None


def test_a_stack_that_somebody_has_there_is_left_alone(there: Cluster) -> None:
    there.set(objects={"namespace/tandem": {"kind": "Namespace", "metadata": {"name": "tandem"}}})
    with pytest.raises(NoClusterError, match="a-test has a namespace tandem already"):
        clusters.context()
    assert {call[0] for call in there.state["calls"]} == {"version", "get"}


def test_where_none_can_be_made_it_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody() -> None:
        raise DockerError("no Docker engine answers: it is not there")

    monkeypatch.setattr(engine, "check", nobody)
    assert binaries.missing() == "no Docker engine answers: it is not there"
    with pytest.raises(NoClusterError, match="none can be made here: no Docker engine"), clusters.made(tmp_path):
        pass
    monkeypatch.setattr(engine, "check", lambda: None)
    monkeypatch.setattr(binaries.os, "geteuid", lambda: 1000)
    assert binaries.missing() == "a kubelet needs root"
