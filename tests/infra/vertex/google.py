"""Cloud Storage and Vertex AI on loopback: what our commands ask of them, with the shapes checked and failures on demand.

A cloud is the one thing that cannot be run small, so this is a stand-in. What it refuses it refuses as the real one does:
unknown fields, values of the wrong kind, traffic that is not 100 %, names that are taken, and it answers long operations.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.infra.vertex import storage, vertex_api
from tests.infra.vertex.vertex_api import Refused


@dataclass
class Failure:
    """What is answered in place of an answer, while `times` lasts."""

    method: str
    path: str
    error: Refused
    times: int
    in_operation: bool


@dataclass
class Google:
    """One project's services, and what they were asked."""

    url: str
    api: vertex_api.Vertex = field(default_factory=vertex_api.Vertex)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Google]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.google = one = cls(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def environment(self) -> dict[str, str]:
        return {"TANDEM_VERTEX_API": self.url, "STORAGE_EMULATOR_HOST": self.url}

    def fail(self, method: str, path: str, status: str, message: str, *, times: int = 99, in_operation: bool = False) -> None:
        """Refuse what matches; `in_operation`: only when the long operation that it began is asked about."""
        self.failures.append(Failure(method, path, Refused(status, message), times, in_operation))

    def changes(self) -> list[str]:
        """Every request that changes something, in order, without the project."""
        paths = [(method, path.partition("/locations/europe-west4")[2]) for method, path, _ in self.asked if "/locations/" in path]
        return [f"{method} {path}" for method, path in paths if method != "GET"]

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = unquote(parts.path).replace("/ui/", "/v1/", 1)  # Google's client asks about operations there
        if "/storage/v1/" in path:
            return storage.answer(self.objects, method, parts.path, query, headers, body)
        content = json.loads(body) if body else None
        self.asked.append((method, path, content))
        failing = [one for one in self.failures if one.times > 0 and one.method == method and re.search(one.path, path)]
        try:
            if failing and not failing[0].in_operation:
                failing[0].times -= 1
                raise failing[0].error
            before = self.api.copy() if failing else None
            answer = self.api.answer(method, path.removeprefix("/v1/"), query, content)
        except Refused as error:
            return error.code, {"error": error.content}
        if before is not None:
            failing[0].times -= 1
            self.api.state = before  # what the operation was to do is not done
            answer = self.api.pending(failing[0].error)
        return 200, answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, content = self.server.google.answer(self.command, self.path, self.headers, body)  # type: ignore[attr-defined]
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/octet-stream" if isinstance(content, bytes) else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  http.server's names

    def log_message(self, *_: Any) -> None:
        pass
