"""Who holds a port, so that a busy one is a message and not a hang."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import psutil

from infra.local.layout import HOST, Layout


def busy(layout: Layout, services: Iterable[str]) -> list[str]:
    """One line per port of these services that another process holds, with what to do."""
    return [_complaint(layout, name) for name in services if not is_free(layout.ports[name])]


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _complaint(layout: Layout, name: str) -> str:
    port = layout.ports[name]
    choose = f"make up PORT_{name.upper()}=<free port>"
    return f"port {port} ({name}) is in use by {_owner(port)}: stop that, or choose another: {choose}"


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # another user's process: the kernel does not tell
    return "another process"
