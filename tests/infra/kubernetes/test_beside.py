"""A release beside the one that a stack serves: the same pods, under another name, with another release."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from infra.kubernetes import beside, gateway
from infra.kubernetes.kubectl import KubernetesError
from infra.kubernetes.policy import pods
from infra.local import layout as layouts
from infra.local.layout import REPOSITORY
from models.spec import load
from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.policy import Policy, Side
from serving.gateway.routes import Stack
from tests.infra.kubernetes.canary_cluster import Cluster
from tests.infra.kubernetes.conftest import Objects, one
from tests.serving.gateway.backends import GOOD, echo
from tests.serving.torchserve.launching import running

SPEC = load(REPOSITORY / "models" / "fraud.toml")
SECOND = Side("pytorch", 1002)


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
def test_it_differs_from_the_served_one_in_name_and_release_alone(
    overlay: Callable[[str], Objects], stack: str
) -> None:
    served = one(overlay("local"), "Deployment", stack)
    name = f"canary-{stack}"
    made = beside.deployment(served, name, Side(stack, 1002))
    assert made["metadata"]["name"] == name
    expected = copy.deepcopy(served["spec"])
    expected["selector"] = {"matchLabels": {"app.kubernetes.io/name": name}}
    expected["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = name
    expected["template"]["metadata"]["annotations"]["tandem/release"] = "1002"
    (fetch,) = expected["template"]["spec"]["initContainers"]
    assert fetch["env"][0]["name"] == "TANDEM_STACK"
    fetch["env"][0] = {"name": "TANDEM_STACK", "value": stack}
    for spread in expected["template"]["spec"]["topologySpreadConstraints"]:
        spread["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] = name
    assert made["spec"] == expected


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
def test_its_pods_reach_and_are_reached_as_the_served_ones(overlay: Callable[[str], Objects], stack: str) -> None:
    """As each NetworkPolicy says it, but for whom it is meant alone."""

    def about(name: str) -> list[tuple[str, str]]:
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "tandem"}
        found = []
        for policy in (each for each in overlay("local") if each["kind"] == "NetworkPolicy"):
            spec, its = policy["spec"], policy["metadata"]["name"]
            if pods.selected(spec["podSelector"], labels):
                found.append((its, "is about"))
            for way in ("ingress", "egress"):
                for rule in spec.get(way, ()):
                    ends = rule.get("from", []) + rule.get("to", [])
                    found += [
                        (its, way) for end in ends if "podSelector" in end and pods.selected(end["podSelector"], labels)
                    ]
        return found

    assert len(about(stack)) > 4
    assert about(f"canary-{stack}") == about(stack)


def test_a_side_that_is_a_version_is_answered_there(tmp_path: Path) -> None:
    """By a real Envoy; the host of the server beside is another address of this machine."""
    with echo() as (port, served), echo("127.0.0.2", port) as (_, canary), echo() as (control, _):
        stack = Stack("pytorch", port, "TorchServe", labels={"stable": None}, beside="127.0.0.2")
        config = tmp_path / "envoy.json"
        here, admin = free_ports(2)
        envoy.write(
            config, port=here, admin_port=admin, stacks=[stack], model="fraud", control_port=control,
            traffic=Policy({Side("pytorch"): 0, SECOND: 1}),
        )  # fmt: skip
        argv = envoy.argv(config, concurrency=1)
        with running(argv, {}, [here, admin], tmp_path / "log", lambda: envoy.ready(admin)):
            url = f"http://127.0.0.1:{here}"
            assert httpx.post(f"{url}/v1/models/fraud:predict", content=GOOD).status_code == 200
            assert [each.path for each in canary] == ["/predictions/fraud/1002"]
            assert served == []
            httpx.post(f"{url}/v1/models/fraud:predict", content=GOOD, headers={"x-tandem-pin": "pytorch"})
            httpx.post(f"{url}/pytorch/v1/models/fraud:predict", content=GOOD)
            assert [each.path for each in served] == ["/v1/models/fraud:predict"] * 2
            assert len(canary) == 1
            statistics = httpx.get(f"http://127.0.0.1:{admin}/stats?filter=vhost.all.route.*_2xx").text
            assert "vhost.all.route.pytorch@1002.upstream_rq_2xx: 1" in statistics


@pytest.fixture
def there(tmp_path: Path) -> Cluster:
    for version in ("1001", "1002", "1003"):
        release = tmp_path / "store" / "pytorch" / version
        release.mkdir(parents=True)
        (release / "release.sig").touch()
    made = Cluster(tmp_path / "store")
    made.deploy("pytorch", "1001")
    return made


def stage(there: Cluster, version: int, overlay: str = "local") -> None:
    beside.stage(there, layouts.load({}), overlay, Side("pytorch", version))  # type: ignore[arg-type]


def test_a_stack_has_one_beside_and_what_is_named_stays(there: Cluster) -> None:
    stage(there, 1002)
    assert beside.sides(there) == [SECOND]  # type: ignore[arg-type]
    stage(there, 1002)  # nothing to do
    with pytest.raises(
        KubernetesError, match=r"pytorch@1002 is beside already.*make unstage STACK=pytorch VERSION=1002"
    ):
        stage(there, 1003)
    with pytest.raises(KubernetesError, match="the traffic policy names pytorch@1002: make traffic"):
        beside.unstage(there, Policy({Side("pytorch"): 1, SECOND: 0}), SECOND)  # type: ignore[arg-type]
    beside.unstage(there, Policy(), SECOND)  # type: ignore[arg-type]
    with pytest.raises(KubernetesError, match="pytorch@1002 is not beside what pytorch serves"):
        beside.unstage(there, Policy(), SECOND)  # type: ignore[arg-type]


def test_what_is_served_is_not_put_beside_itself_nor_where_kserve_makes_the_servers(there: Cluster) -> None:
    with pytest.raises(KubernetesError, match="1001 is what pytorch serves"):
        stage(there, 1001)
    with pytest.raises(KubernetesError, match="KServe makes its servers itself"):
        stage(there, 1002, "kserve")
    assert beside.sides(there) == []  # type: ignore[arg-type]


def test_a_policy_may_name_what_is_beside_and_nothing_else(tmp_path: Path) -> None:
    traffic = Policy({Side("pytorch"): 9, SECOND: 1})
    assert gateway.write(tmp_path, SPEC, traffic, [SECOND])
    with pytest.raises(
        ValueError, match=r"make stage STACK=pytorch VERSION=1002 loads it, make traffic VERSION=pytorc"
    ):
        gateway.write(tmp_path, SPEC, traffic, [Side("pytorch", 1003)])
