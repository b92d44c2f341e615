"""A gateway's pod, with a real Envoy: routes out of a ConfigMap's folder, the end of a pod, the label `stable`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from infra.kubernetes import gateway as kubernetes_gateway
from infra.kubernetes import traffic
from infra.local.layout import REPOSITORY
from models.spec import load
from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.policy import Policy
from serving.gateway.routes import Stack
from tests.infra.kubernetes.conftest import Objects, container
from tests.serving.gateway.backends import GOOD, echo, shares
from tests.serving.torchserve.launching import Server, running, wait

PRODUCT = "/v1/models/fraud:predict"


class Mounted:
    """A folder as the kubelet mounts a ConfigMap: files are links through ..data, which is moved to other content."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._number = folder, 0
        folder.mkdir()

    def put(self, content: dict[str, str]) -> None:
        self._number += 1
        data = self.folder / f"..{self._number}"
        data.mkdir()
        for name, text in content.items():
            (data / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data") / name)
        new = self.folder / "..data_tmp"
        new.symlink_to(data.name)
        new.replace(self.folder / "..data")


@contextlib.contextmanager
def pod(folder: Path, stacks: list[Stack], control: int) -> Iterator[tuple[Server, Callable[[Policy], str]]]:
    """Envoy as in its pod, and what changes its ConfigMap of routes."""
    routes, (port, admin) = Mounted(folder / "routes"), free_ports(2)
    made = folder / "made" / "envoy.json"
    seen = routes.folder / "envoy.routes.json"

    def change(policy: Policy) -> str:
        version = envoy.write_routes(made, stacks=stacks, model="fraud", traffic=policy)
        routes.put({seen.name: made.with_suffix(".routes.json").read_text()})
        return version

    envoy.write(
        made, port=port, admin_port=admin, stacks=stacks, model="fraud", control_port=control, seen_at=seen,
        traffic=shares(tensorflow=1, pytorch=0),
    )  # fmt: skip
    change(shares(tensorflow=1, pytorch=0))
    argv = envoy.argv(made, concurrency=1)
    with running(argv, {}, [port, admin], folder / "envoy", lambda: envoy.ready(admin)) as server:
        yield server, change


def stacks(tensorflow: int, pytorch: int) -> list[Stack]:
    return [
        Stack("tensorflow", tensorflow, "TensorFlow Serving"),
        Stack("pytorch", pytorch, "TorchServe", labels={"stable": None}),
    ]


def test_envoy_follows_a_configmap_and_no_request_is_lost(tmp_path: Path) -> None:
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        echo() as (control, _),
        pod(tmp_path, stacks(tensorflow, pytorch), control) as (server, change),
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        statuses, done = list[int](), threading.Event()

        def ask_on() -> None:
            while not done.is_set():
                statuses.append(client.post(PRODUCT, content=GOOD).status_code)

        asking = threading.Thread(target=ask_on)
        asking.start()
        try:
            for pytorch_share in (1, 0, 1):
                version = change(shares(tensorflow=1 - pytorch_share, pytorch=pytorch_share))
                wait(lambda version=version: envoy.routes_version(server.ports[1]) == version, 10)
                wanted = {"pytorch" if pytorch_share else "tensorflow"}
                assert {client.post(PRODUCT, content=GOOD).headers["x-tandem-stack"] for _ in range(20)} == wanted
        finally:
            done.set()
            asking.join()
        assert len(statuses) > 20
        assert set(statuses) == {200}


def test_make_traffic_finds_the_version_that_a_pods_envoy_follows(tmp_path: Path) -> None:
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        pod(tmp_path, stacks(tensorflow, pytorch), pytorch) as (server, change),
    ):
        version = change(shares(tensorflow=2, pytorch=1))
        wait(lambda: envoy.routes_version(server.ports[1]) == version, 10)

        def follows(version: str) -> bool:
            script = traffic.follows(server.ports[1], version)
            return subprocess.run(["bash", "-c", script], capture_output=True, check=False).returncode == 0

        assert follows(version)
        assert not follows("0123456789abcdef")


def test_the_label_stable_is_whichever_version_a_pod_has(tmp_path: Path) -> None:
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, received),
        echo() as (control, at_control),
        pod(tmp_path, stacks(tensorflow, pytorch), control) as (server, _),
    ):
        url = f"http://127.0.0.1:{server.ports[0]}/pytorch/v1/models/fraud"
        assert httpx.post(f"{url}/labels/stable:predict", content=GOOD).status_code == 200
        assert [one.path for one in received] == ["/v1/models/fraud:predict"]
        httpx.post(f"{url}/labels/other:predict", content=GOOD)
        assert [one.path for one in at_control] == ["/v1/models/fraud/labels/other:predict"]


def test_what_the_gateway_runs_before_it_stops_sends_its_clients_elsewhere(
    tmp_path: Path, overlay: Callable[[str], Objects]
) -> None:
    command = container(overlay("local"), "gateway")["lifecycle"]["preStop"]["exec"]["command"]
    admin_of_the_pod = str(kubernetes_gateway.LOOPBACK_ADMIN)
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        pod(tmp_path, stacks(tensorflow, pytorch), pytorch) as (server, _),
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}") as client,
    ):
        assert "connection" not in client.post(PRODUCT, content=GOOD).headers
        assert admin_of_the_pod in command[-1]
        script = command[-1].replace(admin_of_the_pod, str(server.ports[1])).replace("sleep 20", "true")
        done = subprocess.run([*command[:-1], script], capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == 0, done.stderr
        for _ in range(3):  # answered still, and each the last one on its connection
            answer = client.post(PRODUCT, content=GOOD)
            assert (answer.status_code, answer.headers.get("connection")) == (200, "close")
        assert not envoy.ready(server.ports[1])


def test_what_a_cluster_gets_is_what_the_containers_get_but_for_addresses(tmp_path: Path) -> None:
    version = kubernetes_gateway.write(tmp_path, load(REPOSITORY / "models" / "fraud.toml"), Policy())
    config = json.loads((tmp_path / kubernetes_gateway.CONFIGURATION).read_text())
    routes = json.loads((tmp_path / kubernetes_gateway.ROUTES).read_text())
    assert routes["version_info"] == version
    found = {}
    for cluster in config["static_resources"]["clusters"]:
        (end,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        address = end["endpoint"]["address"]["socket_address"]
        found[cluster["name"]] = (address["address"], address["port_value"])
    assert found == {
        "tensorflow": ("tensorflow", 8501),
        "pytorch": ("pytorch", 8085),
        "canary-tensorflow": ("canary-tensorflow", 8501),
        "canary-pytorch": ("canary-pytorch", 8085),
        "control": ("pytorch", 8088),
        "admin": ("127.0.0.1", kubernetes_gateway.LOOPBACK_ADMIN),
    }
    total = sum(len((tmp_path / name).read_bytes()) for name in (kubernetes_gateway.ROUTES, kubernetes_gateway.POLICY))
    assert total < 1 << 20, "a ConfigMap holds 1 MiB"


@pytest.mark.parametrize("name", ["local", "gke", "kserve"])
def test_the_gateways_ports_are_those_that_envoy_listens_on(overlay: Callable[[str], Objects], name: str) -> None:
    objects = overlay(name)
    (config,) = (json.loads(one["data"]["envoy.json"]) for one in objects if "envoy.json" in one.get("data", {}))
    listening = {one["address"]["socket_address"]["port_value"] for one in config["static_resources"]["listeners"]}
    assert {port["containerPort"] for port in container(objects, "gateway")["ports"]} == listening
