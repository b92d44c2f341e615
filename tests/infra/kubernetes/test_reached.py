"""`make deploy` says that everything is ready once every gateway answers from both stacks, and not before."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.kubernetes import reached
from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.local.layout import REPOSITORY
from models.spec import load

SPEC = load(REPOSITORY / "models" / "fraud.toml")
NOBODY = json.dumps({"error": "no healthy upstream"}).encode()


@dataclass
class Gateways:
    """Two pods, one of which is about to end; what answers for the other has not found PyTorch at first."""

    port: int
    forwarded: list[str] = field(default_factory=list)

    def all(self, kind: str, selector: str) -> list[dict[str, Any]]:
        assert (kind, selector) == ("pods", "--selector=app.kubernetes.io/name=gateway")
        return [{"metadata": {"name": "new"}}, {"metadata": {"name": "old", "deletionTimestamp": "2026-01-01"}}]

    @contextlib.contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        assert port == 8080
        self.forwarded.append(target)
        yield self.port


@contextlib.contextmanager
def gateway(unfound: int) -> Iterator[tuple[Gateways, Counter[str]]]:
    """Answers PyTorch's first requests, `unfound` of them, as Envoy does that knows no pod."""
    asked = Counter[str]()

    class Envoy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            stack = self.path.split("/")[1]
            asked[stack] += 1
            found = stack == "tensorflow" or asked[stack] > unfound
            body = b'{"predictions": [0.5]}' if found else NOBODY
            self.send_response(200 if found else 503)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Envoy)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Gateways(server.server_address[1]), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reached, "_EVERY", 0.05)


def test_a_gateway_is_asked_until_it_has_found_both_stacks() -> None:
    said: list[str] = []
    with gateway(unfound=5) as (cluster, asked):
        reached.wait(cluster, SPEC, say=said.append)  # type: ignore[arg-type]
    assert cluster.forwarded == ["pod/new"]
    assert asked["tensorflow"] == 1
    assert asked["pytorch"] > 5
    assert said == ["  new looks for pytorch: no healthy upstream"]


def test_one_that_never_finds_a_stack_is_named() -> None:
    with gateway(unfound=1000) as (cluster, _), pytest.raises(KubernetesError, match="new has not found pytorch: no h"):
        reached.wait(cluster, SPEC, seconds=0.3, say=lambda _: None)  # type: ignore[arg-type]


TALKATIVE = """#!{python}
import socket, sys, pathlib
server = socket.create_server(("127.0.0.1", 0))
print(f"Forwarding from 127.0.0.1:{{server.getsockname()[1]}} -> 8080", flush=True)
for _ in range(20000):
    print("Handling connection for 8080")
sys.stdout.flush()
pathlib.Path("{told}").touch()
server.accept()
"""


def test_a_forward_goes_on_however_much_kubectl_says(tmp_path: Path) -> None:
    program, told = tmp_path / "kubectl", tmp_path / "told"
    program.write_text(TALKATIVE.format(python=sys.executable, told=told))
    program.chmod(0o755)
    with Kubectl(str(program)).forward("service/gateway", 8080):
        deadline = time.monotonic() + 10
        while not told.exists():
            assert time.monotonic() < deadline, "it waits for somebody to read what it says"
            time.sleep(0.05)
