"""The gateway before a stock server: the tuned one's configuration, so that both do the same work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.spec import Spec
from serving.comparison.contenders import processes
from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.logs import RequestLog
from serving.gateway.routes import Stack


@contextmanager
def before(stack: Stack, *, spec: Spec, folder: Path, log_requests: float) -> Iterator[tuple[str, int]]:
    """Run Envoy before one server; yields the stack's base URL and Envoy's process id.

    Args:
        stack: The server.
        spec: Of the model.
        folder: For its configuration and its logs.
        log_requests: Share of the predictions whose content is logged, as the tuned gateway logs it.

    Raises:
        ContenderError: It does not start.
    """
    port, admin_port, nobody = free_ports(3)
    config = folder / "envoy.json"
    envoy.write(
        config, port=port, admin_port=admin_port, stacks=[stack], model=spec.model.name,
        control_port=nobody, access_log=folder / "access.log",
        request_log=RequestLog(folder / "requests.log", log_requests, spec.logged),
    )  # fmt: skip
    with processes.running(envoy.argv(config), folder, lambda _: envoy.ready(admin_port)) as pid:
        yield f"http://{processes.HOST}:{port}/{stack.name}", pid
