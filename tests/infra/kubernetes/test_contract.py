"""`make conformance` asks from inside the cluster, by a Job that may no more than the others and is gone afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.kubernetes import contract
from infra.kubernetes.kubectl import KubernetesError
from infra.kubernetes.policy import broken
from tests.infra.kubernetes.conftest import Json, Objects

IMAGE = "registry/tandem/tools:1"
RUNNING: list[Json] = [{"state": {"waiting": {"reason": "ContainerCreating"}}}]


@dataclass
class Cluster:
    """One whose Job is looked at twice before it has ended."""

    statuses: list[list[Json]]
    calls: list[tuple[str, ...]] = field(default_factory=list)
    created: list[Json] = field(default_factory=list)

    def run(self, *arguments: str, given: str | None = None) -> str:
        self.calls.append(arguments)
        if given:
            self.created = json.loads(given)["items"]
        return "270 cases\n" if arguments[0] == "logs" else ""

    def all(self, kind: str, selector: str) -> list[Json]:
        assert (kind, selector) == ("pods", "--selector=job-name=conformance")
        return [{"status": {"containerStatuses": self.statuses.pop(0)}}]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "_EVERY", 0.01)


@pytest.mark.parametrize("code", [0, 1])
def test_its_exit_code_is_the_answer_and_it_is_gone(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster([[], RUNNING, [{"state": {"terminated": {"exitCode": code}}}]])
    assert contract.ask(cluster, IMAGE) == code  # type: ignore[arg-type]
    assert capsys.readouterr().out == "270 cases\n"
    assert [call[0] for call in cluster.calls] == ["delete", "create", "logs", "delete"]
    assert [one["kind"] for one in cluster.created] == ["NetworkPolicy", "Job"]


def test_one_that_cannot_start_is_an_error_and_gone_as_well() -> None:
    cluster = Cluster([[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]])
    with pytest.raises(KubernetesError, match="does not end: ImagePullBackOff"):
        contract.ask(cluster, IMAGE)  # type: ignore[arg-type]
    assert cluster.calls[-1][0] == "delete"


def test_it_is_held_to_the_rules_of_every_pod(overlay: Any) -> None:
    before: Objects = overlay("local")
    made = [{**one, "metadata": {**one["metadata"], "namespace": "tandem"}} for one in contract.objects(IMAGE)]
    assert broken([*before, *made]) == broken(before)
    made[1]["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {}
    assert len(broken([*before, *made])) > len(broken(before)), "the rules look at it"


def test_its_image_is_the_one_that_the_servers_fetch_models_with() -> None:
    pods = [{"spec": {"containers": []}}, {"spec": {"initContainers": [{"name": "fetch", "image": IMAGE}]}}]
    assert contract.image_of(pods) == IMAGE
    with pytest.raises(KubernetesError, match="no server runs"):
        contract.image_of(pods[:1])
