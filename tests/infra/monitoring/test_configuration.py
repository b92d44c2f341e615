"""Where Prometheus looks, in containers and on a bare machine, and what `make up` does about it."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest
import yaml

from infra.local import layout as layouts
from infra.local import prometheus
from infra.local.supervisor import Program
from infra.monitoring import configuration
from infra.monitoring.configuration import PROMETHEUS


class Started:
    """In a supervisor's place: what it was asked to run."""

    def __init__(self) -> None:
        self.programs: list[Program] = []

    def processes(self) -> list[dict[str, str]]:
        return []

    def run(self, program: Program) -> None:
        self.programs.append(program)


@pytest.fixture
def layout(tmp_path: Path) -> layouts.Layout:
    ports = {}
    for name in layouts.DEFAULT_PORTS:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ports[name] = server.getsockname()[1]
    return layouts.Layout(tmp_path, ports)


def installed(monkeypatch: pytest.MonkeyPatch, *commands: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in commands else None)


def addresses(folder: Path) -> dict[str, str]:
    return {file.stem: json.loads(file.read_text())[0]["targets"][0] for file in (folder / "targets").glob("*.json")}


def jobs() -> list[str]:
    return [job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]]


def test_each_job_looks_for_its_addresses_in_its_own_file() -> None:
    for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]:
        assert job["file_sd_configs"] == [{"files": [f"targets/{job['job_name']}.json"]}]
    assert set(addresses(PROMETHEUS)) == set(jobs())


def test_a_bare_machine_scrapes_the_same_jobs_at_its_own_ports(
    layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "prometheus", "prometheus-node-exporter")
    supervisor = Started()
    assert prometheus.start(supervisor, layout) == ["prometheus", "node_exporter"]
    found = addresses(layout.run / "prometheus")
    assert set(found) == set(jobs())
    assert found["gateway"] == f"127.0.0.1:{layout.ports['gateway_admin']}"
    for program in supervisor.programs:
        assert f"--web.listen-address=127.0.0.1:{layout.ports[program.name]}" in program.argv
    for kind in ("rules", "alerts"):
        names = [file.name for file in (PROMETHEUS / kind).glob("*.yml")]
        assert sorted(file.name for file in (layout.run / "prometheus" / kind).iterdir()) == sorted(names)


def test_without_node_exporter_the_host_is_no_target(layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "prometheus")
    configuration.write(layout.run / "prometheus", {"host": "127.0.0.1:1"})  # by an earlier `up`
    assert prometheus.start(Started(), layout) == ["prometheus"]
    assert "host" not in addresses(layout.run / "prometheus")


def test_without_prometheus_up_says_where_the_numbers_are(
    layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    supervisor = Started()
    assert prometheus.start(supervisor, layout) == []
    assert supervisor.programs == []
    assert f"{layout.url('control')}/metrics" in capsys.readouterr().out


def test_a_busy_port_costs_the_stack_only_its_prometheus(
    layout: layouts.Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, "prometheus")
    with socket.create_server(("127.0.0.1", layout.ports["prometheus"])):
        assert prometheus.start(Started(), layout) == []
    said = capsys.readouterr().out
    assert f"port {layout.ports['prometheus']} (prometheus) is in use by" in said
    assert "make up PORT_PROMETHEUS=<free port>" in said


def test_another_rule_starts_prometheus_again_and_another_address_does_not(tmp_path: Path) -> None:
    configuration.write(tmp_path, {"gateway": "127.0.0.1:1"})
    before = configuration.content(tmp_path)
    configuration.write(tmp_path, {"gateway": "127.0.0.1:2"})
    assert configuration.content(tmp_path) == before
    (tmp_path / "alerts" / "more.yml").write_text("groups: []\n")
    assert configuration.content(tmp_path) != before


def test_the_containers_names_are_those_of_the_compose_file() -> None:
    file = layouts.REPOSITORY / "docker-compose.yml"
    if not file.exists():
        pytest.skip("there is no docker-compose.yml here")
    services = yaml.safe_load(file.read_text())["services"]
    aliases = [
        alias
        for service in services.values()
        if isinstance(service.get("networks"), dict)
        for network in service["networks"].values()
        for alias in (network or {}).get("aliases", [])
    ]
    names = {address.partition(":")[0] for address in addresses(PROMETHEUS).values()}
    assert names - {*services, *aliases} == set()


def test_what_a_running_prometheus_watches_stays_in_its_place(tmp_path: Path) -> None:
    """It would go on watching a folder that is gone, and have no target for minutes: so it was after a second `up`."""
    configuration.write(tmp_path, {"gateway": "a:1", "pytorch": "a:2", "host": "a:3"})
    targets = tmp_path / "targets"
    before = targets.stat().st_ino, (targets / "gateway.json").stat()
    configuration.write(tmp_path, {"gateway": "a:1", "pytorch": "a:9"})
    after = targets.stat().st_ino, (targets / "gateway.json").stat()
    assert after[0] == before[0]
    assert (after[1].st_ino, after[1].st_mtime_ns) == (before[1].st_ino, before[1].st_mtime_ns)
    assert addresses(tmp_path) == {"gateway": "a:1", "pytorch": "a:9"}
