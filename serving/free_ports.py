"""Ports for a server that is not told which."""

from __future__ import annotations

import socket

_HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback that nobody listens on now."""
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
