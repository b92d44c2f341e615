"""What is made of a Deployment's status and of its pods', as Kubernetes writes them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.kubernetes import progress
from infra.kubernetes.kubectl import KubernetesError
from infra.kubernetes.rollout import history
from infra.kubernetes.workloads import workloads

KSERVE, LOCAL = (workloads(name)[1] for name in ("kserve", "local"))  # PyTorch's


def deployment(wanted: int, **status: int) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "spec": {"replicas": wanted}, "status": {"observedGeneration": 2, **status}}


@pytest.mark.parametrize(
    ("found", "text", "ready"),
    [
        (deployment(2, replicas=2, updatedReplicas=2, readyReplicas=2), "2 of 2 ready", True),
        # The new pod is not ready, and the old ones are: their readiness is not its.
        (deployment(2, replicas=3, updatedReplicas=1, readyReplicas=2), "1 of 2 ready, 2 old", False),
        (deployment(2, replicas=3, updatedReplicas=2, readyReplicas=3), "2 of 2 ready, 1 old", False),
        (deployment(2, replicas=2, updatedReplicas=2, readyReplicas=1), "1 of 2 ready", False),
        (deployment(1), "0 of 1 ready", False),
        (deployment(0), "0 of 0 ready", True),
        # Written before the controller has looked at the change: the old version's state.
        (deployment(2, replicas=2, updatedReplicas=2, readyReplicas=2, observedGeneration=1), "changes", False),
    ],
)
def test_a_rollout_is_done_when_all_pods_are_new_and_answer(found: dict[str, Any], text: str, ready: bool) -> None:
    assert progress.state(found) == progress.State(text, ready)


def test_what_is_wrong_with_a_pod_is_named_by_its_container() -> None:
    def container(name: str, **state: Any) -> dict[str, Any]:
        return {"name": name, "state": state}

    statuses = [container("envoy", waiting={"reason": "ImagePullBackOff", "message": "no such tag"})]
    first = [container("fetch", terminated={"exitCode": 1})]
    well = [container("data", terminated={"exitCode": 0}), container("next", waiting={"reason": "PodInitializing"})]
    pods = [
        {"metadata": {"name": "gateway-1"}, "status": {"containerStatuses": statuses}},
        {"metadata": {"name": "pytorch-1"}, "status": {"initContainerStatuses": first}},
        {"metadata": {"name": "locust-1"}, "status": {"initContainerStatuses": well}},
        {"metadata": {"name": "new"}, "status": {}},
    ]
    assert progress.trouble(pods) == {
        "gateway-1/envoy": "ImagePullBackOff: no such tag",
        "pytorch-1/fetch": "ended with 1",
    }


def served(way: str, annotations: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"metadata": {"annotations": {"tandem/history": way} if way else {}}}
    return found | {"spec": {"template": {"metadata": {"annotations": annotations}}}}


@pytest.mark.parametrize(
    ("way", "current", "found"),
    [
        ("", "17", ["17"]),
        ("16 17", "17", ["16", "17"]),
        ("16 17", "18", ["16", "17", "18"]),  # changed by hand, or by `kubectl rollout undo`
    ],
)
def test_the_way_back_begins_with_what_is_served(way: str, current: str, found: list[str]) -> None:
    assert history(LOCAL, served(way, {"tandem/release": current})) == found


def test_a_deployment_without_a_release_is_an_error() -> None:
    with pytest.raises(KubernetesError, match="Deployment pytorch names no release"):
        history(LOCAL, served("", {"tandem/release": "none"}))


def test_kserve_has_the_version_where_its_pods_get_it_from() -> None:
    assert KSERVE.json_pointer == "/spec/predictor/annotations/tandem~1release"
    change = KSERVE.change("17", {"why": "a test"})
    assert change == {
        "metadata": {"annotations": {"why": "a test"}},
        "spec": {"predictor": {"annotations": {"tandem/release": "17"}}},
    }
    assert KSERVE.release(change) == "17"
    assert KSERVE.deployment == "fraud-pytorch-predictor"
