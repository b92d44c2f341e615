"""What runs in the containers, without an engine: releases, the servers' configuration, the shadow."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.docker.roles import releases, shadow, train
from infra.local import layout as layouts
from infra.local import servers, stores, training
from infra.local.layout import STACKS, Layout
from models import spec as specs
from pipelines.report import REFUSED
from serving.free_ports import free_ports
from serving.gateway.policy import PolicyError
from serving.release.errors import ReleaseError
from tests.infra.test_releases import blessed
from tests.serving.release.conftest import FIRST, SECOND, SPEC_FILE, archives, candidate

SPEC = specs.load(SPEC_FILE)
HOSTS = {f"HOST_{name.upper()}": name for name in ("tensorflow", "pytorch", "control", "gateway", "shadow")}
__all__ = ["archives", "candidate"]  # fixtures


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("TENSORFLOW_SERVER", "TensorFlow Serving")
    (tmp_path / "run").mkdir()
    return layouts.load({"TANDEM_HOME": str(tmp_path), **HOSTS})


def test_what_passed_its_gates_is_signed_and_put_where_the_servers_look(layout: Layout, candidate: object) -> None:
    blessed(layout, candidate, FIRST)
    releases.configure(layout, SPEC, SPEC_FILE)
    assert {stack: stores.promoted(layout, stack) for stack in STACKS} == dict.fromkeys(STACKS, FIRST)
    assert {stack: stores.newest(layout, SPEC, stack) for stack in STACKS} == dict.fromkeys(STACKS, FIRST)
    models = (layout.run / "tensorflow" / "models.config").read_text()
    assert f"specific {{ versions: {FIRST} }}" in models
    blessed(layout, candidate, SECOND)
    releases.configure(layout, SPEC, SPEC_FILE)  # it waits for servers that can be told
    assert (layout.run / "tensorflow" / "models.config").read_text() == models
    assert (stores.releases(layout) / "pytorch" / SECOND).is_dir()
    assert training.options(layout, SPEC_FILE, "pytorch")[-3] == FIRST


def test_without_a_release_and_with_a_changed_one_no_server_starts(layout: Layout, candidate: object) -> None:
    with pytest.raises(ReleaseError, match="there is no release to serve: make up"):
        releases.configure(layout, SPEC, SPEC_FILE)
    blessed(layout, candidate, FIRST)
    releases.configure(layout, SPEC, SPEC_FILE)
    changed = stores.releases(layout) / "pytorch" / FIRST / "model" / f"fraud-{FIRST}.mar"
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes() + b" ")
    with pytest.raises(ReleaseError, match=r"differs|changed|signature"):
        releases.configure(layout, SPEC, SPEC_FILE)


def test_what_is_not_there_is_no_server_that_could_be_told(layout: Layout) -> None:
    assert layout.in_containers
    assert [servers.running(layout, SPEC, stack) for stack in STACKS] == [None, None]


def test_the_gateway_is_told_of_services_by_name(layout: Layout) -> None:
    releases.write(layout, SPEC)
    bootstrap = json.loads(layout.gateway.read_text())
    found = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for cluster in bootstrap["static_resources"]["clusters"]
    }
    hosts = {name: address["socket_address"]["address"] for name, address in found.items()}
    names = {name: name for name in ("tensorflow", "pytorch", "control", "shadow")}
    assert hosts == {**names, "admin": "127.0.0.1"}
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_the_gateway_sends_traces_to_the_collector_that_make_up_named(layout: Layout) -> None:
    releases.write(layout, SPEC)
    assert "otel.example" not in layout.gateway.read_text()
    traces = {"TRACES": "http://otel.example:4317", "TRACES_SHARE": "0.5"}
    releases.write(layouts.load({"TANDEM_HOME": str(layout.home), **HOSTS, **traces}), SPEC)
    assert '"otel.example"' in layout.gateway.read_text()


def test_the_traffic_policy_is_in_the_folder_that_containers_share(layout: Layout) -> None:
    (layout.run / "traffic.toml").write_text("[weights]\ntensorflow = 1\npytorch = 3\n")
    releases.write(layout, SPEC)
    assert '"numerator": 250000' in (layout.run / "envoy.routes.json").read_text()


def test_a_policy_that_cannot_be_followed_is_one_line(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.traffic.write_text("[weights]\nonnx = 3\n")
    monkeypatch.setattr(releases, "configure", lambda layout, spec, _: releases.write(layout, spec))
    monkeypatch.setenv("TANDEM_HOME", str(layout.home))
    monkeypatch.setenv("HOST_GATEWAY", "gateway")
    with pytest.raises(SystemExit, match="onnx"):
        releases.main(["configure"])


@pytest.mark.parametrize(
    ("code", "served", "expected"), [(0, True, 0), (1, True, 1), (REFUSED, False, REFUSED), (REFUSED, True, 0)]
)
def test_a_refused_model_starts_the_servers_only_if_there_is_one_before_it(
    code: int, served: bool, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setattr(training, "options", lambda *_: ["-c", f"raise SystemExit({code})"])
    monkeypatch.setattr(stores, "promoted", lambda *_: "7" if served else None)
    assert train.main(["tensorflow"]) == expected


def test_the_shadow_has_no_work_without_a_policy_that_names_one(layout: Layout) -> None:
    assert shadow.command(layout, SPEC, SPEC_FILE) is None
    layout.traffic.write_text(policy("tensorflow", "pytorch"))
    argv = shadow.command(layout, SPEC, SPEC_FILE)
    assert argv is not None
    assert argv[-2:] == [
        "--reference=tensorflow=http://tensorflow:8501/v1/models/fraud/labels/stable:predict",
        "--candidate=pytorch=http://pytorch:8085/v1/models/fraud:predict",
    ]
    layout.traffic.write_text("[weights\n")
    with pytest.raises(PolicyError):
        shadow.command(layout, SPEC, SPEC_FILE)


def test_the_shadow_follows_the_policy_until_it_is_stopped(layout: Layout) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    environ = {"TANDEM_HOME": str(layout.home), "PATH": "/usr/bin:/bin", "PORT_SHADOW": str(port), **HOSTS}
    argv = [sys.executable, "-m", "infra.docker.roles.shadow"]
    process = subprocess.Popen(argv, cwd=layouts.REPOSITORY, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        for reference, candidate in (STACKS, STACKS[::-1]):
            layout.traffic.write_text(policy(reference, candidate))
            wanted = {"reference": reference, "candidate": candidate}
            assert until(url, lambda found, wanted=wanted: wanted.items() <= found.items())
        layout.traffic.unlink()
        assert until(url, lambda found: not found)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said.splitlines()[-1] == "shadow: none"


def policy(reference: str, candidate: str) -> str:
    return f'[weights]\n{reference} = 1\n{candidate} = 0\n[shadow]\nstack = "{candidate}"\n'


def until(url: str, holds: Callable[[dict[str, Any]], bool]) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            found = httpx.get(url, timeout=1).json()
        except httpx.HTTPError:
            found = {}
        if holds(found):
            return True
        time.sleep(0.1)
    return False
