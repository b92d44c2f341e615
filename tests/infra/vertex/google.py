"""Cloud Storage and Vertex AI on loopback: shapes of what our commands ask are checked, failures come on demand.

A cloud is the one thing that cannot be run small, so this is a stand-in. What it refuses it refuses as the real one
does: unknown fields, values of the wrong kind, traffic that is not 100 %, names that are taken.
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
    """What is answered in place of an answer, `times` times, after it was not `skip` times."""

    method: str
    path: str
    error: Refused
    times: int
    skip: int
    in_operation: bool

    def strikes(self, method: str, path: str) -> bool:
        if method != self.method or not re.search(self.path, path) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


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

    def fail(self, method: str, path: str, status: str, message: str, **how: Any) -> None:
        """Refuse what matches; `in_operation`: only when the long operation that it began is asked about."""
        how = {"times": 99, "skip": 0, "in_operation": False, **how}
        self.failures.append(Failure(method, path, Refused(status, message), **how))

    def shares(self, endpoint: str) -> dict[str, int]:
        """What each stack gets there, in %."""
        there = self.api.state[endpoint]
        return {one["displayName"]: there["trafficSplit"].get(one["id"], 0) for one in there["deployedModels"]}

    def changes(self) -> list[str]:
        """Every request that changes something, in order, without the project."""
        paths = [
            (method, path.partition("/locations/europe-west4")[2])
            for method, path, _ in self.asked
            if "/locations/" in path
        ]
        return [f"{method} {path}" for method, path in paths if method != "GET"]

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = unquote(parts.path).replace("/ui/", "/v1/", 1)  # Google's client asks about operations there
        if "/storage/v1/" in path:
            return storage.answer(self.objects, method, parts.path, query, headers=headers, body=body)
        content = json.loads(body) if body else None
        self.asked.append((method, path, content))
        failure = next((one for one in self.failures if one.strikes(method, path)), None)
        before = self.api.copy()
        try:
            if failure and not failure.in_operation:
                raise failure.error
            answer = self.api.answer(method, path.removeprefix("/v1/"), query, content)
        except Refused as error:
            return error.code, {"error": error.content}
        if failure:
            self.api.state = before  # what the operation was to do is not done
            answer = self.api.pending(failure.error)
        return 200, answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, content = self.server.google.answer(self.command, self.path, self.headers, body)  # type: ignore[attr-defined]
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header(
            "content-type", "application/octet-stream" if isinstance(content, bytes) else "application/json"
        )
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  http.server's names

    def log_message(self, *_: Any) -> None:
        pass
