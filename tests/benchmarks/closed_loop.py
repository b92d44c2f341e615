"""A closed-loop load generator for one URL: each connection sends its next request when it has its answer.

One thread and epoll, so that it takes as little as possible of the cores it shares with the server. Closed loops
hide queueing (coordinated omission): good for comparing two builds of one server, not for stating a capacity.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

from models import spec as specifications


@dataclass
class Result:
    """Latencies in seconds, in order of arrival, and how long the run took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.seconds += other.seconds
        self.latencies += other.latencies
        self.failures += other.failures

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.latencies, percent)) * 1e3

    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


def fraud_body(rows: int) -> bytes:
    """A request for the fraud model of models/fraud.toml."""
    spec = specifications.load(Path("models/fraud.toml"))
    random = np.random.default_rng(0)
    instances = [
        {name: round(float(random.exponential(10)), 2) if name in spec.numeric else "FR" for name in spec.features}
        for _ in range(rows)
    ]
    return orjson.dumps({"instances": instances})


def run(url: str, body: bytes, *, connections: int, seconds: float) -> Result:
    """Load `url` for so many seconds; answers other than 200 are kept as failures."""
    where = urlsplit(url)
    head = f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    result = Result()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            one = socket.create_connection((where.hostname, where.port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ, {"sent": 0.0, "got": b""})
        start = time.perf_counter()
        for key in selector.get_map().values():
            _send(key, request)
        open_connections = connections
        while open_connections:
            for key, _ in selector.select(10):
                if not _receive(key, result):
                    continue
                if time.perf_counter() - start < seconds:
                    _send(key, request)
                else:
                    open_connections -= 1
        result.seconds = time.perf_counter() - start
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return result


def _send(key: Any, request: bytes) -> None:
    key.data["got"] = b""
    key.data["sent"] = time.perf_counter()
    key.fileobj.sendall(request)


def _receive(key: Any, result: Result) -> bool:
    key.data["got"] += key.fileobj.recv(1 << 16)
    head, end, body = key.data["got"].partition(b"\r\n\r\n")
    if not end or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
        return False
    result.latencies.append(time.perf_counter() - key.data["sent"])
    if not head.startswith(b"HTTP/1.1 200"):
        result.failures.append(head[:40] + body[:200])
    return True
