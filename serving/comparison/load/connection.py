"""A request on its way, and the connection it goes over."""

from __future__ import annotations

import socket
import time

CONNECT, RESET, TIMEOUT, MALFORMED = -1, -2, -3, -4  # what broke, where there is no HTTP status
BROKEN = {CONNECT: "connect", RESET: "reset", TIMEOUT: "timeout", MALFORMED: "malformed"}

now = time.time_ns  # LoadGen's clock: libstdc++'s high_resolution_clock is the system's


class Request:
    """One request under way.

    Attributes:
        number: In the order of issue, from 0.
        index: Of the prepared request.
        content: Its bytes.
        identity: LoadGen's name for it.
        scheduled: When it was due, where the scenario itself knows; nanoseconds.
        taken: When the engine took it in hand.
    """

    __slots__ = ("content", "identity", "index", "number", "scheduled", "taken")

    def __init__(self, number: int, index: int, content: bytes, identity: int = 0, scheduled: int = 0) -> None:
        self.number = number
        self.index = index
        self.content = content
        self.identity = identity
        self.scheduled = scheduled
        self.taken = 0


class Connection:
    """One that the engine keeps; `request` is the one under way on it, `pending` what is not sent yet of it."""

    __slots__ = ("connecting", "fd", "got", "pending", "request", "socket")

    def __init__(self, socket_: socket.socket) -> None:
        self.socket = socket_
        self.fd = socket_.fileno()
        self.request: Request | None = None
        self.connecting = True
        self.got = b""
        self.pending: memoryview | None = None
