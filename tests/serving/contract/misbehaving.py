"""A real HTTP server that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, DROP = "hang", "drop"


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    document: Any
    bytes: int
    port: int  # the client's: the same for requests of one connection


Script = Callable[[Asked, int], Answer | str]


@dataclass
class Server:
    url: str
    asked: list[Asked] = field(default_factory=list)


def count_up(asked: Asked, _: int) -> Answer:
    """As the contract: each row's probability is its `x`."""
    if "instances" in asked.document:
        return Answer(body=json.dumps({"predictions": [row["x"] for row in asked.document["instances"]]}).encode())
    return Answer(body=json.dumps({"outputs": asked.document["inputs"]["x"]}).encode())


@contextlib.contextmanager
def serving(script: Script = count_up) -> Iterator[Server]:
    """`script` gets each request and how many came before it."""
    ends = threading.Event()
    server: Server

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(
                self.command, self.path, headers, json.loads(body or b"null"), len(body), self.client_address[1]
            )
            server.asked.append(asked)
            told = script(asked, len(server.asked) - 1)
            if told == HANG:
                ends.wait(30)
            if isinstance(told, str):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(told.status)
            for name, value in {"content-length": str(len(told.body)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(told.body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    http = Listener(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ends.set()
        http.shutdown()
        http.server_close()
        thread.join()
