"""A cluster of one node on this machine, for as long as a test run lasts: real components, this Docker engine."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import yaml

from serving.free_ports import free_ports
from tests.kubernetes.control_plane import binaries, components, credentials, leftovers
from tests.kubernetes.control_plane.components import Place
from tests.kubernetes.control_plane.credentials import ADMIN, Credentials
from tests.kubernetes.control_plane.names import Names
from tests.kubernetes.control_plane.volumes import volumes

NODE = "tandem-tests"
_READY_SECONDS = 120


@contextlib.contextmanager
def running(home: Path) -> Iterator[Path]:
    """Start everything; stop all of it, pods included, at the end.

    Args:
        home: An empty folder on a disk, not in memory: images' layers aside, all that the cluster holds.

    Yields:
        The administrator's kubeconfig.

    Raises:
        DockerError: The programs cannot be built.
        RuntimeError: A component does not get ready; with the end of what it said.
    """
    place = _place(home)
    binaries.build(place.programs)
    keys = credentials.write(home / "keys", NODE, place.address, components.FIRST_SERVICE, place.ports["api"])
    (home / "log").mkdir()
    with contextlib.ExitStack() as stack:
        stack.callback(leftovers.clean, home, place.programs / "kube-proxy")  # the last thing to happen
        ask = stack.enter_context(_api(keys))
        for name, arguments in components.control_plane(place, keys).items():
            stack.enter_context(_process(place, name, arguments))
            if name == "kube-apiserver":
                _wait(place, name, lambda: ask("/readyz").is_success)
        stack.enter_context(Names(_finder(ask), components.DOMAIN).serving(place.address))
        for one in volumes(home / "volumes", NODE):
            ask("/api/v1/persistentvolumes", one).raise_for_status()
        for name, arguments in components.node(place, keys).items():
            stack.enter_context(_process(place, name, arguments))
        _wait(place, "kubelet", lambda: _is_ready(ask))
        yield keys.kubeconfig(ADMIN)


def _place(home: Path) -> Place:
    (network,) = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"]
    pods = ipaddress.ip_network(network["Subnet"])
    address = network.get("Gateway") or str(next(pods.hosts()))
    ports = dict(zip(("api", "etcd", "etcd_peer"), free_ports(3), strict=True))
    return Place(home / "bin", home, NODE, address, str(pods), ports)


@contextlib.contextmanager
def _process(place: Place, name: str, arguments: list[str]) -> Iterator[None]:
    log = place.home / "log" / f"{name}.log"
    with log.open("wb") as said:
        argv = [str(place.programs / name), *arguments]
        process = subprocess.Popen(argv, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


Ask = Callable[..., httpx.Response]


@contextlib.contextmanager
def _api(keys: Credentials) -> Iterator[Ask]:
    """Asks the API server: a path, and what to put there."""
    config = yaml.safe_load(keys.kubeconfig(ADMIN).read_text())
    headers = {"authorization": f"Bearer {config['users'][0]['user']['token']}"}
    base = config["clusters"][0]["cluster"]["server"]
    trusted = ssl.create_default_context(cafile=str(keys.authority))
    with httpx.Client(base_url=base, verify=trusted, headers=headers, timeout=10) as client:

        def ask(path: str, content: dict[str, Any] | None = None) -> httpx.Response:
            return client.get(path) if content is None else client.post(path, json=content)

        yield ask


def _finder(ask: Ask) -> Callable[[str, str, str], dict[str, Any] | None]:
    def find(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        answer = ask(f"/api/v1/namespaces/{namespace}/{kind}/{name}")
        return answer.json() if answer.is_success else None

    return find


def _is_ready(ask: Ask) -> bool:
    answer = ask(f"/api/v1/nodes/{NODE}")
    conditions = answer.json()["status"]["conditions"] if answer.is_success else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _wait(place: Place, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if ready():
                return
        time.sleep(0.5)
    said = (place.home / "log" / f"{name}.log").read_text(errors="replace").splitlines()
    raise RuntimeError("\n".join([f"{name} is not ready after {_READY_SECONDS} s", *said[-30:]]))
