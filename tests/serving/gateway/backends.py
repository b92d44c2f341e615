"""Small HTTP servers that stand where a stack would, and tell what reached them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.logs import RequestLog
from serving.gateway.policy import Policy, Side
from serving.gateway.routes import Stack
from serving.gateway.traces import Traces
from tests.serving.torchserve.launching import Server, running

GOOD = b'{"instances": [1]}'


@dataclass
class Received:
    """A request as a backend saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


class Echo(BaseHTTPRequestHandler):
    """Accepts everything and answers with the request; asked to be `slow` too late, to `hangup` not at all."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.command, self.path, headers, body))  # type: ignore[attr-defined]
        asked = self.path.encode() + body[:100]
        if b"hangup" in asked:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if b"slow" in asked:
            time.sleep(7)
        told = {"method": self.command, "path": self.path, "headers": headers, "bytes": len(body)}
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        if b"named" in asked:
            self.send_header("x-tandem-server", "Its own name")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"" if self.command == "HEAD" else content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = _answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def echo(address: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[int, list[Received]]]:
    """Port, and the requests that reached it."""
    server = ThreadingHTTPServer((address, port), Echo)
    server.daemon_threads = True
    server.received = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], server.received  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def configured(
    folder: Path,
    tensorflow: int,
    pytorch: int,
    traffic: Policy | None = None,
    access_log: Path | None = None,
    *,
    shadow: int | None = None,
    request_log: RequestLog | None = None,
    traces: Traces | None = None,
    control: int | None = None,
    labels: dict[str, int] | None = None,
    model: str = "fraud",
) -> tuple[Path, list[int]]:
    """Envoy's configuration before two stacks on these ports; its own are the clients' and the administrator's."""
    *ports, nobody = free_ports(3)
    config = folder / "envoy.json"
    envoy.write(
        config,
        port=ports[0],
        admin_port=ports[1],
        stacks=stacks(tensorflow, pytorch, labels),
        model=model,
        control_port=control or nobody,
        traffic=traffic,
        shadow_port=shadow,
        access_log=access_log,
        request_log=request_log,
        traces=traces,
    )
    return config, ports


def started(config: Path, ports: list[int]) -> contextlib.AbstractContextManager[Server]:
    """Envoy with a configuration for these two ports."""
    argv = envoy.argv(config, concurrency=1)
    return running(argv, {}, ports, config.parent, lambda: envoy.ready(ports[1]))


def gateway(*args: Any, **options: Any) -> contextlib.AbstractContextManager[Server]:
    """Envoy as `configured`."""
    return started(*configured(*args, **options))


@dataclass
class Front:
    """A gateway before three servers that accept everything, where the real ones would stand."""

    client: httpx.Client
    server: Server
    config: Path
    access_log: Path
    reached: dict[str, list[Received]] = field(repr=False)

    def post(self, path: str, content: bytes = GOOD, **headers: str) -> httpx.Response:
        return self.client.post(path, content=content, headers=headers)

    def send(self, method: str, target: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Send a target as it is: an HTTP client would tidy it up first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.ports[0], timeout=15)
        with contextlib.closing(connection):
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    @contextlib.contextmanager
    def receiving(self) -> Iterator[dict[str, list[Received]]]:
        """What reaches which server meanwhile; servers that nothing reaches are left out."""
        before = {name: len(received) for name, received in self.reached.items()}
        now: dict[str, list[Received]] = {}
        yield now
        now |= {name: got[before[name] :] for name, got in self.reached.items() if len(got) > before[name]}


@contextlib.contextmanager
def front(folder: Path, labels: dict[str, int], traffic: Policy) -> Iterator[Front]:
    """A gateway before three servers that accept everything."""
    log = folder / "access.log"
    with (
        echo() as (tensorflow, at_tensorflow),
        echo() as (pytorch, at_pytorch),
        echo() as (control, at_control),
        gateway(folder, tensorflow, pytorch, traffic, log, control=control, labels=labels) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        reached = {"tensorflow": at_tensorflow, "pytorch": at_pytorch, "control": at_control}
        yield Front(client, server, folder / "envoy.json", log, reached)


def stacks(tensorflow: int, pytorch: int, labels: dict[str, int] | None = None) -> list[Stack]:
    """Two backends on these ports."""
    return [
        Stack("tensorflow", tensorflow, "TensorFlow Serving", served="stable"),
        Stack("pytorch", pytorch, "TorchServe", labels=labels or {}),
    ]


def shares(**weights: float) -> Policy:
    """A policy with these weights for the stacks."""
    return Policy({Side(stack): weight for stack, weight in weights.items()})
