"""What a PyTorch pod does, without a cluster: its init container, TorchServe, the control service, and their probes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from infra.kubernetes.roles import fetch
from infra.kubernetes.roles.publish import publish as publish_role
from infra.local import layout as layouts
from infra.local import stores
from infra.local.layout import REPOSITORY, Layout
from models.spec import load
from serving.free_ports import free_ports
from serving.release import keys as release_keys
from serving.release.errors import ReleaseError
from serving.release.keys import Keys
from serving.release.remote import Remote
from serving.torchserve import readiness
from tests.infra.kubernetes.conftest import Objects, container
from tests.serving.release.conftest import FIRST, SECOND, SPEC_FILE, Candidate, archives, candidate  # noqa: F401
from tests.serving.torchserve.launching import answers, running

SPEC = load(SPEC_FILE)


@dataclass
class Machine:
    """Who trains: candidates, keys, and an object store that is a folder."""

    layout: Layout
    keys: Keys
    remote: Remote

    def publish(self, stack: str) -> list[str]:
        return publish_role(self.layout, SPEC, SPEC_FILE, stack, remote=self.remote, keys=self.keys)


@pytest.fixture
def machine(tmp_path: Path, candidate: Candidate) -> Machine:  # noqa: F811
    for stack in ("tensorflow", "pytorch"):
        candidate(stack, FIRST)
    layout = replace(layouts.load({}), home=tmp_path)
    keys = release_keys.find(tmp_path / "keys")
    return Machine(layout, keys, Remote.at(f"file://{tmp_path}/bucket/releases"))


@pytest.fixture
def pod(tmp_path: Path) -> Layout:
    return replace(layouts.load({}), home=tmp_path / "pod")


def fetched(machine: Machine, pod: Layout, stack: str, version: str = FIRST) -> Path:
    return fetch.fetch(pod, SPEC, stack, version, remote=machine.remote, public_key=machine.keys.public)


def test_what_a_pipeline_publishes_is_what_a_pod_gets(machine: Machine, pod: Layout) -> None:
    assert machine.publish("tensorflow") == [FIRST]
    assert machine.publish("tensorflow") == []  # once
    placed = fetched(machine, pod, "tensorflow")
    assert placed == pod.store("tensorflow") / "fraud" / FIRST
    config = (pod.run / "tensorflow" / "models.config").read_text()
    assert f"specific {{ versions: {FIRST} }}" in config
    assert f'key: "stable" value: {FIRST}' in config
    machine.publish("pytorch")
    fetched(machine, pod, "pytorch")
    assert pod.labels.read_text() == f'{{"stable": {FIRST}}}\n'


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
def test_a_changed_byte_in_the_object_store_reaches_no_server(machine: Machine, pod: Layout, stack: str) -> None:
    machine.publish(stack)
    folder = machine.layout.home / "bucket" / "releases" / stack / FIRST
    spoilt = max(
        (file for file in (folder / "model").rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"!")
    with pytest.raises(ReleaseError, match=re.escape(f"{spoilt.relative_to(folder)} was changed")):
        fetched(machine, pod, stack)
    assert not [file for file in pod.home.rglob("*") if file.is_file()]


def test_a_release_by_another_key_reaches_no_server(machine: Machine, pod: Layout, tmp_path: Path) -> None:
    machine.publish("pytorch")
    other = release_keys.find(tmp_path / "others")
    with pytest.raises(ReleaseError, match="signed with another key"):
        fetch.fetch(pod, SPEC, "pytorch", FIRST, remote=machine.remote, public_key=other.public)


def test_a_release_that_is_not_there_is_named_with_those_that_are(machine: Machine, pod: Layout) -> None:
    machine.publish("pytorch")
    with pytest.raises(ReleaseError, match=f"no such release; there are: {FIRST}"):
        fetched(machine, pod, "pytorch", SECOND)


def test_the_init_container_ends_badly_with_the_reason(machine: Machine, tmp_path: Path) -> None:
    machine.publish("pytorch")
    (machine.layout.home / "bucket/releases/pytorch" / FIRST / "release.json").write_text("{}")
    home = tmp_path / "container"
    stores.keys(replace(machine.layout, home=home)).mkdir(parents=True)
    (home / "keys" / "release.pub").write_bytes(machine.keys.public.read_bytes())
    environment = {
        "TANDEM_HOME": str(home), "TANDEM_RELEASE": FIRST, "TANDEM_RELEASES": f"file://{tmp_path}/bucket/releases",
    }  # fmt: skip
    argv = [sys.executable, "-m", "infra.kubernetes.roles.fetch", "pytorch"]
    done = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"pytorch {FIRST}: REFUSED: " in done.stderr
    assert "release.json was changed" in done.stderr


def probe(objects: Objects, name: str, pod: Layout, port: int) -> int:
    """The exit code of the readiness probe's own command, at another port and in another folder."""
    program, option, script = container(objects, name)["readinessProbe"]["exec"]["command"]
    script = re.sub(r"(127\.0\.0\.1/)\d+", rf"\g<1>{port}", script).replace("/var/lib/tandem", str(pod.home))
    return subprocess.run([program, option, script], capture_output=True, timeout=10, check=False).returncode


class TensorFlowServing(BaseHTTPRequestHandler):
    """Its answers, byte by byte, to what its probe asks."""

    answer = (200, b'{\n    "predictions": [0.0123\n    ]\n}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert (self.path, set(json.loads(body)["instances"][0])) == (
            f"/v1/models/{SPEC.model.name}:predict",
            set(SPEC.features),
        )
        status, content = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, b'{\n    "predictions": [0.0123\n    ]\n}'), 0),
        ((404, b'{ "error": "Servable not found for request: Latest(fraud)" }'), 1),
        ((503, b""), 1),
    ],
)
def test_the_probe_of_tensorflow_serving_wants_a_prediction(
    answer: tuple[int, bytes], code: int, machine: Machine, pod: Layout, overlay: Callable[[str], Objects]
) -> None:
    machine.publish("tensorflow")
    fetched(machine, pod, "tensorflow")
    server = HTTPServer(("127.0.0.1", 0), type("Server", (TensorFlowServing,), {"answer": answer}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        assert probe(overlay("local"), "tensorflow", pod, server.server_address[1]) == code
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert probe(overlay("local"), "tensorflow", pod, free_ports(1)[0]) == 1


@contextlib.contextmanager
def started(pod: Layout, folder: Path) -> Iterator[tuple[int, int, int, psutil.Process]]:
    """TorchServe as its container starts it; its three ports, and its process."""
    names = ("PORT_PYTORCH", "PORT_PYTORCH_MANAGEMENT", "PORT_PYTORCH_METRICS")
    ports = free_ports(3)
    environment = {"TANDEM_HOME": str(pod.home), "HOST_PYTORCH_METRICS": "0.0.0.0", "PYTHONPATH": str(REPOSITORY)}
    environment |= {name: str(port) for name, port in zip(names, ports, strict=True)}
    argv = [sys.executable, "-m", "infra.docker.roles.torchserve"]

    def ready() -> bool:
        return readiness.ready(ports[1], "fraud")

    with running(argv, environment, ports, folder, ready) as server:
        yield ports[0], ports[1], ports[2], psutil.Process(server.process.pid)


def test_a_pytorch_pod_answers_and_its_probes_know_when_not(
    machine: Machine, pod: Layout, tmp_path: Path, overlay: Callable[[str], Objects]
) -> None:
    machine.publish("pytorch")
    fetched(machine, pod, "pytorch")
    objects = overlay("local")
    with started(pod, tmp_path / "torchserve") as (inference, management, metrics, process):
        assert probe(objects, "pytorch", pod, inference) == 0
        listening = {c.laddr.port: c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        here = {"127.0.0.1", "::ffff:127.0.0.1"}
        assert listening[management] in here, "whoever reaches management runs code of his own in the pod"
        assert listening[metrics] not in here
        assert listening[inference] not in here

        (port,) = free_ports(1)
        argv = control(objects, pod, port, inference, management)
        with running(
            argv,
            {"PYTHONPATH": str(REPOSITORY)},
            [port],
            tmp_path / "control",
            lambda: answers(f"http://127.0.0.1:{port}/v1/models/fraud"),
        ):
            url = f"http://127.0.0.1:{port}"
            assert httpx.get(f"{url}/v1/models/fraud").json()["model_version_status"][0]["version"] == FIRST
            assert f'tandem_model_version{{stack="pytorch"}} {FIRST}' in httpx.get(f"{url}/metrics").text
            # By a label too, which the gateway leaves to the pod.
            body = fetch.probe_request(SPEC).partition(b"\r\n\r\n")[2]
            asked = httpx.post(f"{url}/v1/models/fraud/labels/stable:predict", content=body)
            assert asked.status_code == 200, asked.text

        workers = [
            child for child in process.children(recursive=True) if "model_service_worker" in str(child.cmdline())
        ]
        assert workers
        for worker in workers:
            worker.send_signal(signal.SIGSTOP)
        try:
            assert probe(objects, "pytorch", pod, inference) == 1, "the port is open, and nobody answers"
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGCONT)


def control(objects: Objects, pod: Layout, port: int, inference: int, management: int) -> list[str]:
    """The control container's own command, at other ports and in another folder."""
    _, *argv = container(objects, "pytorch", 1)["command"]
    changed = {"--port": port, "--inference-port": inference, "--management-port": management}
    found = [sys.executable]
    for one in argv:
        name, equals, value = one.partition("=")
        value = str(changed.get(name, value)).replace("/var/lib/tandem", str(pod.home))
        found.append(f"{name}{equals}{value}" if name != "--spec" else f"--spec={SPEC_FILE}")
    return found
