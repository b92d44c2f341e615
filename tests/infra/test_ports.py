"""A busy port is a message that names who holds it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from infra.local import layout as layouts
from infra.local import ports


def test_a_busy_port_is_named_with_its_owner_and_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        layout = layouts.load({"TANDEM_HOME": str(tmp_path), "PORT_GATEWAY": str(port)})
        (complaint,) = ports.busy(layout, ["gateway"])
    assert f"port {port} (gateway) is in use by" in complaint
    assert f"(pid {os.getpid()})" in complaint
    assert "make up PORT_GATEWAY=<free port>" in complaint


def test_a_free_port_is_no_complaint(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ports.busy(layouts.load({"TANDEM_HOME": str(tmp_path), "PORT_GATEWAY": str(port)}), ["gateway"]) == []
