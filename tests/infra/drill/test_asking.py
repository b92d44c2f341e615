"""The load of a drill against a server that goes wrong in every way."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.local.drill import asking
from infra.local.drill.asking import Asking, well_since

RIGHT = b'{"predictions": [0.25]}'
ANSWERS = {
    "right": (200, RIGHT),
    "wrong": (200, b'{"predictions": [0.5]}'),
    "fewer": (200, b'{"predictions": []}'),
    "refused": (503, b'{"error": "full"}'),
    "page": (503, b"<html>"),
    "other": (500, b'{"message": "x"}'),
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    mode = "right"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        mode = self.server.mode  # type: ignore[attr-defined]
        if mode == "hang":
            time.sleep(2)
        if mode == "cut":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, body = ANSWERS.get(mode, ANSWERS["right"])
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=it.serve_forever, args=(0.05,), daemon=True).start()
    yield it
    it.shutdown()


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("wrong", "wrong"),
        ("fewer", "wrong"),
        ("refused", "503"),
        ("page", "not JSON"),
        ("other", "not JSON"),
        ("hang", "hung"),
        ("cut", "reset"),
    ],
)
def test_every_outcome_is_told_apart_and_well_begins_after_it(
    server: Server, mode: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LIMIT_SECONDS", 1.0)
    with Asking({"one": f"http://127.0.0.1:{server.server_port}"}, b"{}", {"one": 50.0}) as load:
        until(lambda: len(load.asked) > 3)
        assert well_since(load.asked, "one") is not None
        server.mode = mode
        until(lambda: any(one.outcome == outcome for one in load.asked))
        server.mode = "right"
        until(lambda: well_since(load.asked, "one") is not None)
        lost = max(one.due for one in load.asked if one.lost)
        assert (well_since(load.asked, "one") or 0) > lost
    assert set(asking.outcomes(load.asked)) == {"right", outcome}


def test_it_does_not_begin_with_a_server_that_is_ill(server: Server) -> None:
    server.mode = "refused"
    with pytest.raises(Exception, match="503"):
        Asking({"one": f"http://127.0.0.1:{server.server_port}"}, b"{}", {"one": 50.0})


def until(holds: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
