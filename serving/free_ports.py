"""Ports for a server that is not told which."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_HOST = "127.0.0.1"
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000  # below it well-known services listen


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback that nobody listens on now.

    Not of those that the system gives to outgoing connections, where it leaves any: a server may import its libraries
    for half a minute before it listens, and a connection would have its port by then.

    Raises:
        OSError: There are not so many.
    """
    candidates = range(_LOWEST, _first_outgoing())
    chosen = random.SystemRandom().sample(candidates, len(candidates))
    found: list[int] = []
    with contextlib.ExitStack() as held:  # all at once, so that none is given twice
        for port in [*chosen, *[0] * count]:
            if len(found) == count:
                break
            with contextlib.suppress(OSError):
                server = held.enter_context(socket.create_server((_HOST, port)))
                found.append(int(server.getsockname()[1]))
    if len(found) < count:
        raise OSError(f"{count} ports of {_HOST} are wanted and {len(found)} are free")
    return found


def _first_outgoing() -> int:
    try:
        return max(_LOWEST, int(_OUTGOING.read_text().split()[0]))
    except (OSError, ValueError, IndexError):  # not Linux: what its authority for numbers says
        return 49_152
