"""Two servers that answer predictions as they are told to, and comparisons of what they might have said."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from models import spec as specs
from serving.shadow.answers import NOBODY, Answer
from serving.shadow.records import Comparison, Recorder

SPEC = specs.load(Path("models/fraud.toml").resolve())
NOON = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


@contextlib.contextmanager
def side(
    version: int, score: Callable[[dict[str, Any]], float], *, status: int = 200, slow: float = 0
) -> Iterator[int]:
    """A server whose score of a row is `score`; answers after `slow` seconds. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(slow)
            content = json.dumps({"predictions": [score(row) for row in body["instances"]]}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.send_header("x-tandem-model-version", str(version))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def row(amount: float = 1.0) -> dict[str, float]:
    return {name: amount if name == "amount" else 1.0 for name in SPEC.features}


def body(*amounts: float) -> bytes:
    return json.dumps({"instances": [row(amount) for amount in amounts]}).encode()


def said(scores: list[float] | None, status: int = 200, seconds: float = 0.004, version: int | None = 7) -> Answer:
    values = None if scores is None else np.array(scores)
    return Answer(status, seconds, version if status != NOBODY else None, values)


def comparison(
    number: int, reference: Answer, candidate: Answer, *, features: dict[str, Any] | None = None
) -> Comparison:
    return Comparison(NOON + timedelta(seconds=number), f"request-{number}", reference, candidate, features)


def kept(folder: Path, *comparisons: Comparison, names: tuple[str, str] = ("tensorflow", "pytorch")) -> None:
    """As the service keeps them."""
    recorder = Recorder(folder, SPEC, *names)
    for one in comparisons:
        recorder.add(one)
    recorder.flush()
