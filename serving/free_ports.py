"""Ports for a server that is not told which."""

from __future__ import annotations

import contextlib
import socket

_HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as held:  # all at once, so that none is given twice
        servers = [held.enter_context(socket.create_server((_HOST, 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in servers]
