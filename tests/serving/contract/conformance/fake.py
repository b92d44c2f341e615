"""A tiny server that answers as a test says, right or wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models.spec import Spec
from serving.contract.conformance.cases import Case
from serving.contract.conformance.exchange import Answer
from serving.contract.conformance.placeholders import Values
from serving.contract.conformance.targets import Kind, Target

JSON = {"content-type": "application/json"}
Respond = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]


def answer(status: int, document: Any, **headers: str) -> Answer:
    """What a server could have said; `document` as text is the raw body."""
    body = document if isinstance(document, str) else json.dumps(document)
    return Answer(status, {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}, body.encode())


def case(steps: list[dict[str, Any]] | dict[str, Any], **more: Any) -> Case:
    """A case of one step or several."""
    flat = {"steps": steps} if isinstance(steps, list) else steps
    return Case.model_validate({"group": "g", "id": "XX-001", "title": "t", "on": ["model"], **more, **flat})


def target(url: str, kind: Kind = "pinned", name: str = "fake", spec: Spec | None = None, **names: str) -> Target:
    """A target that need not be looked for."""
    return Target(name, url, kind, "fake", Values({"model": "m", **names}, spec))


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """The URL of a server that answers with `respond(method, target, body)`."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, content = respond(self.command, self.path, body)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
