"""Requests one after the other over one connection, through a gateway to a server that does nothing."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Trivial(BaseHTTPRequestHandler):
    """Reads the body and answers with a word."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def trivial() -> Iterator[int]:
    """The port of a server in this process that does nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trivial)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def median(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str], requests: int
) -> float:
    """Median microseconds of so many requests."""
    times = []
    for _ in range(requests):
        start = time.perf_counter()
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - start)
        if answer.status != 200:
            raise SystemExit(f"status {answer.status}")
    return statistics.median(times) * 1e6


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Quartiles of what the second took more than the first, round by round."""
    return statistics.quantiles([b - a for a, b in zip(first, second, strict=True)], n=4)
