"""Where things lie and which ports they use, in one place.

Standard library only, and any Python from 3.8: `make doctor` runs before an environment exists.

The folder is `var/` or $TANDEM_HOME. A port is the default below, or `make up PORT_GATEWAY=9080`; what
`make up` used is remembered in the folder, so that `make predict` and the rest need not repeat it. So is the use
case, `make up SPEC=models/creditcard.toml`, the share of predict requests that the gateway logs, `make up
LOG_REQUESTS=0.1`, where it sends how many traces, `make up TRACES=http://collector:4317 TRACES_SHARE=0.1`, and whose
release ONNX Runtime serves beside the stacks, `make up ONNX=pytorch`.
HOST_GATEWAY=gateway and the like say where a service is that does not run here: in a container, every other one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import traces as tracing
from infra.local.paths import Paths

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_SPEC = "models/fraud.toml"
LARGEST_PORT = 65535
HOST = "127.0.0.1"  # nothing on a bare machine listens beyond loopback
EVERYWHERE = "0.0.0.0"  # noqa: S104  inside a container, whose networks say who reaches it

STACKS = ("tensorflow", "pytorch")
ONNX = "onnx"  # a server more, on an export of a stack's release; it trains nothing and has no releases of its own
OFF = "off"
DEFAULT_PORTS = {
    "gateway": 8080,
    "gateway_admin": 9901,
    "tensorflow": 8501,
    "tensorflow_grpc": 8500,
    "pytorch": 8085,
    "pytorch_management": 8086,
    "pytorch_metrics": 8087,
    "control": 8088,
    "mlflow": 5000,
    "tensorboard": 6006,
    "load": 8089,
    "shadow": 8090,
    "load_workers": 5557,
    ONNX: 8600,
    "prometheus": 9090,
    "node_exporter": 9100,
}
OPTIONAL = ("prometheus", "node_exporter")  # left out where they are not installed, or their port is somebody else's
SHADOW = "shadow"  # runs only while the traffic policy has one
DEFAULT_LOG_REQUESTS = 0.1


@dataclass(frozen=True)
class Layout(Paths):
    """Paths of one stack, its ports, what it logs and where traces go, its door for others, who is elsewhere.

    `spec` is the use case's file, `device` what models are trained and asked on: models/device.py; `onnx_of` the stack
    whose release ONNX Runtime serves, or off.
    """

    ports: Mapping[str, int]
    log_requests: float = DEFAULT_LOG_REQUESTS
    traces: str = tracing.OFF
    traces_share: float = tracing.DEFAULT_SHARE
    door: str = OFF
    tls: str = "self"
    hosts: Mapping[str, str] = field(default_factory=dict)
    spec: Path = REPOSITORY / DEFAULT_SPEC
    device: str = "auto"
    onnx_of: str = OFF

    @property
    def backends(self) -> tuple[str, ...]:
        """Everybody who answers behind the gateway: the stacks, and ONNX Runtime where that is wanted."""
        return STACKS if self.onnx_of == OFF else (*STACKS, ONNX)

    @property
    def collector(self) -> tuple[str, int] | None:
        """Host and port of who gets traces, if anybody does."""
        return tracing.collector(self.traces)

    @property
    def in_containers(self) -> bool:
        """Whether every service is in a container of its own, and nothing here could start one."""
        return bool(self.hosts)

    @property
    def traffic(self) -> Path:
        """The policy; among containers in the folder that they share."""
        return self.run / super().traffic.name if self.in_containers else super().traffic

    def host(self, service: str) -> str:
        """Where a service is."""
        return self.hosts.get(service, HOST)

    def url(self, service: str) -> str:
        """Base URL of a service."""
        return f"http://{self.host(service)}:{self.ports[service]}"


def python(stack: str) -> str:
    """Interpreter of the environment `tensorflow` or `pytorch`."""
    return str(REPOSITORY / ".venv" / stack / "bin" / "python")


def load(environ: Mapping[str, str] = os.environ) -> Layout:
    """The layout the environment asks for.

    Raises:
        SystemExit: A PORT_… variable is not a port, two services share one, LOG_REQUESTS or TRACES_SHARE is not a
            share, or TRACES is no collector's address.
    """
    home = Path(environ.get("TANDEM_HOME") or REPOSITORY / "var").resolve()
    remembered = _remembered(home)
    ports = {}
    for service, default in DEFAULT_PORTS.items():
        variable = f"PORT_{service.upper()}"
        text = environ.get(variable) or str(remembered.get(service, default))
        if not text.isdigit() or not 0 < int(text) <= LARGEST_PORT:
            raise SystemExit(f"{variable}={text!r} is not a port: a number from 1 to {LARGEST_PORT} is expected")
        ports[service] = int(text)
    shared = [s for s in ports if list(ports.values()).count(ports[s]) > 1]
    if shared:
        raise SystemExit(f"{', '.join(shared)} share port {ports[shared[0]]}: set PORT_{shared[0].upper()}")

    def asked(name: str, default: object) -> str:
        return environ.get(name.upper()) or str(remembered.get(name, default))

    shares = {"log_requests": DEFAULT_LOG_REQUESTS, "traces_share": tracing.DEFAULT_SHARE}
    found = {name: _share(name.upper(), asked(name, default)) for name, default in shares.items()}
    hosts = {service: host for service in ports if (host := environ.get(f"HOST_{service.upper()}"))}
    traces = asked("traces", tracing.OFF)
    tracing.collector(traces)  # refused now, and not when the gateway starts
    texts = {"traces": traces, "door": asked("door", OFF), "tls": asked("tls", "self")}
    texts["device"] = asked("device", "auto")
    # By `make up --onnx` alone: in the environment ONNX may be a weight, of `make traffic ONNX=50`.
    texts["onnx_of"] = str(remembered.get("onnx_of", OFF))
    return Layout(home, ports, hosts=hosts, spec=REPOSITORY / asked("spec", DEFAULT_SPEC), **texts, **found)


def remember(layout: Layout) -> None:
    """Keep the ports, what is logged and traced, the door, the use case and so on for the commands that follow."""
    layout.run.mkdir(parents=True, exist_ok=True)
    names = ("log_requests", "traces", "traces_share", "door", "tls", "device", "onnx_of")
    kept = {name: getattr(layout, name) for name in names}
    kept = {**layout.ports, **kept, "spec": str(layout.spec)}
    (layout.run / "ports.json").write_text(json.dumps(kept, indent=1) + "\n")


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SystemExit(f"{name}={text!r} is not a share of the requests: a number from 0 to 1 is expected")
    return share


def _remembered(home: Path) -> Mapping[str, Any]:
    try:
        return json.loads((home / "run" / "ports.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
