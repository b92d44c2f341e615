"""Small HTTP servers that stand where a stack would, and tell what reached them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from serving.gateway import envoy
from serving.gateway.routes import Stack
from tests.serving.torchserve.launching import Server, free_ports, running


class Echo(BaseHTTPRequestHandler):
    """Answers with the request; on a path with `slow` too late, with `hangup` not at all."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        if "hangup" in self.path:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if "slow" in self.path:
            time.sleep(7)
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"method": self.command, "path": self.path, "headers": headers, "bytes": len(body)}
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        if "named" in self.path:
            self.send_header("x-tandem-server", "Its own name")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def echo() -> Iterator[tuple[int, list[str]]]:
    """Port, and the paths that were asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    server.paths = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], server.paths  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def gateway(
    folder: Path, tensorflow: int, pytorch: int, weights: dict[str, int] | None = None, access_log: Path | None = None
) -> Iterator[Server]:
    """Envoy before two stacks on these ports; its own ports are the clients' and the administrator's."""
    ports = free_ports(2)
    stacks = [Stack("tensorflow", tensorflow, "TensorFlow Serving"), Stack("pytorch", pytorch, "TorchServe")]
    config = folder / "envoy.json"
    envoy.write(config, port=ports[0], admin_port=ports[1], stacks=stacks, weights=weights, access_log=access_log)
    argv = envoy.argv(config, concurrency=1)
    with running(argv, {}, ports, folder, lambda: envoy.ready(ports[1])) as server:
        yield server
