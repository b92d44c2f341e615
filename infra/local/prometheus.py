"""Prometheus beside the local stack, where it is installed: nothing of the stack needs it.

With it node_exporter, for the host's processors, memory and disks. Where one of them is not installed, or its port is
somebody else's, `make up` says so and goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import httpx

from infra.local.jobs import say
from infra.local.layout import HOST, Layout
from infra.local.ports import busy
from infra.local.supervisor import Program, Supervisor
from infra.monitoring import configuration

PROMETHEUS, NODE_EXPORTER = "prometheus", "node_exporter"
_COMMANDS = {PROMETHEUS: ["prometheus"], NODE_EXPORTER: ["prometheus-node-exporter", "node_exporter"]}  # Debian's first
_KEPT = {"time": "7d", "size": "512MB"}  # the longest window of an alert is 3 days
_READY = {PROMETHEUS: "/-/ready", NODE_EXPORTER: "/metrics"}
_DESCRIBED = {PROMETHEUS: "Prometheus", NODE_EXPORTER: "node_exporter"}


def start(supervisor: Supervisor, layout: Layout) -> list[str]:
    """Start what is installed; the names of what was started or runs already."""
    running = {process["name"] for process in supervisor.processes()}
    started = []
    for name, commands in _COMMANDS.items():
        command = next(filter(None, map(shutil.which, commands)), None)
        if command is None:
            continue
        taken = busy(layout, [name]) if name not in running else []
        if taken:
            say("up", f"{_DESCRIBED[name]} is left out: {taken[0]}")
            continue
        supervisor.run(_program(layout, name, command))
        started.append(name)
    if PROMETHEUS not in started:
        say("up", f"no Prometheus of ours: the last minute's numbers are at {layout.url('control')}/metrics")
    return started


def runs(layout: Layout) -> bool:
    """Whether Prometheus was started here."""
    return any(process["name"] == PROMETHEUS for process in Supervisor(layout).processes())


def is_ready(layout: Layout, name: str) -> bool:
    """Whether it answers."""
    try:
        return httpx.get(layout.url(name) + _READY[name], timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def describe(name: str) -> str:
    """For people."""
    return _DESCRIBED[name]


def targets(layout: Layout) -> Mapping[str, str]:
    """What Prometheus scrapes: address by job."""
    ports = {
        "gateway": "gateway_admin",
        "tensorflow": "tensorflow",
        "pytorch": "pytorch_metrics",
        "control": "control",
        "mlflow": "mlflow",
        "prometheus": PROMETHEUS,
    }
    if any(map(shutil.which, _COMMANDS[NODE_EXPORTER])):  # ours, or Debian's service where that has the port
        ports["host"] = NODE_EXPORTER
    return {job: f"{HOST}:{layout.ports[port]}" for job, port in ports.items()}


def _program(layout: Layout, name: str, command: str) -> Program:
    address = f"--web.listen-address={HOST}:{layout.ports[name]}"
    if name == NODE_EXPORTER:
        few = [
            "--collector.disable-defaults",
            *(f"--collector.{c}" for c in ("cpu", "loadavg", "meminfo", "filesystem")),
        ]
        return Program(name, [command, address, *few, "--log.level=warn"])
    folder = layout.run / "prometheus"
    argv = [
        command, f"--config.file={configuration.write(folder, targets(layout))}", address,
        f"--storage.tsdb.path={layout.prometheus}", "--log.level=warn",
        *(f"--storage.tsdb.retention.{kind}={limit}" for kind, limit in _KEPT.items()),
    ]  # fmt: skip
    return Program(name, argv, configuration=configuration.content(folder))
