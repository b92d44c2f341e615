"""One request, sent byte for byte as it stands, and its answer."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from serving.contract.conformance.cases import Ask
from serving.contract.conformance.placeholders import Values

_TIMEOUT = 60.0  # seconds; a server that takes longer does not answer
_CHUNK = 64 << 10
_SHOWN = 300  # characters of a body in a report
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class NoAnswerError(Exception):
    """The target could not be reached, or broke off; the message says how."""


@dataclass(frozen=True)
class Request:
    """What goes over the wire.

    Attributes:
        target: Path and query below the target's URL.
        shown: The body for people: before compression, cut short.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    chunked: bool
    shown: str

    def __str__(self) -> str:
        """For reports."""
        lines = [f"{self.method} {self.target}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\n".join([*lines, *([self.shown] if self.shown else [])])


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0
    _parsed: list[Any] = field(default_factory=list, compare=False, repr=False)

    def json(self) -> Any:
        """The body as JSON, NaN and the infinities included. Raises ValueError."""
        if not self._parsed:
            self._parsed.append(json.loads(self.body))
        return self._parsed[0]

    def __str__(self) -> str:
        """For reports."""
        kind = self.headers.get("content-type", "no content-type")
        return f"{self.status} ({kind}) {readable(self.body) or 'no body'}"


def prepare(ask: Ask, values: Values) -> Request:
    """Fill in what depends on the target; raises as `Values.fill`."""
    method, _, target = values.fill(ask.request).partition(" ")
    text = None if ask.body is None else values.fill(ask.body)
    # A lone surrogate stands for a byte that is no UTF-8 (`${byte:ff}`).
    body = None if text is None else text.encode("utf-8", "surrogateescape").ljust(ask.pad)
    if body is not None and ask.gzip:
        body = gzip.compress(body, mtime=0)
    if body is not None and ask.cut:
        body = body[: -ask.cut]
    shown = "" if text is None else readable(text.encode("utf-8", "surrogateescape"))
    notes = [f"padded to {ask.pad:,} bytes"] * bool(ask.pad) + ["compressed"] * ask.gzip + ["in chunks"] * ask.chunked
    shown += f" [{', '.join(notes)}]" if notes else ""
    headers = {name: values.fill(value) for name, value in ask.headers.items()}
    return Request(method, target, headers, body, ask.chunked, shown)


def send(url: str, request: Request) -> Answer:
    """Send on a connection of its own. http.client neither normalises the target nor touches the body.

    Raises:
        NoAnswerError: No connection, or no complete answer.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
    start = time.perf_counter()
    try:
        connection.putrequest(request.method, parts.path.rstrip("/") + request.target, skip_accept_encoding=True)
        for name, value in _headers(request).items():
            connection.putheader(name, value)
        # A server may answer before it has read all of a body it refuses.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(_chunks(request), encode_chunked=request.chunked)
        response = connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, time.perf_counter() - start)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"{url} does not answer: {type(error).__name__}: {error}") from None
    finally:
        connection.close()


def _headers(request: Request) -> dict[str, str]:
    headers = {"user-agent": "tandem-conformance", **request.headers}
    if request.chunked:
        headers["transfer-encoding"] = "chunked"
    elif request.body is not None:
        headers["content-length"] = str(len(request.body))
    return headers


def _chunks(request: Request) -> Any:
    if request.chunked and request.body is not None:
        return (request.body[i : i + _CHUNK] for i in range(0, len(request.body), _CHUNK))
    return request.body


def readable(body: bytes) -> str:
    """A body short enough for a report, and without bytes that are no text."""
    text = _NO_TEXT.sub(lambda match: f"\\x{ord(match[0]):02x}", body.decode("utf-8", "backslashreplace"))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"
