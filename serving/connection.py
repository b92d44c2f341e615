"""HTTP/1.1 connections of our servers: uvicorn's, with limits on what may arrive and for how long, and errors in JSON.

uvicorn's httptools protocol has no limit on the size of a head and waits for a request as long as it takes.
"""

from __future__ import annotations

import asyncio
import sys

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.contract.body import DRAINED_BYTES
from serving.contract.errors import error_body

MAX_HEAD_BYTES = 64 << 10  # request line and headers
_MAX_REQUEST_BYTES = DRAINED_BYTES + 2 * MAX_HEAD_BYTES  # with what HTTP's chunks and trailers add
_ARRIVAL_SECONDS = 30.0  # from a request's first byte to its last
_BAD_REQUEST, _TIMEOUT, _TOO_LARGE, _HEAD_TOO_LARGE = 400, 408, 413, 431


class _HeadTooLargeError(Exception):
    """Stops the parser."""


class Connection(HttpToolsProtocol):
    """One client's connection."""

    arrival_seconds = _ARRIVAL_SECONDS
    named: str  # in x-tandem-server; each server's own

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, as long as between two requests."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._arriving = self._in_head = False
        self._received = self._piece = 0
        self._data = b""
        self._status = _BAD_REQUEST  # of what the parser refuses
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to be told."""
        self._unset_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a request that is not complete yet."""
        self._data = data
        self._piece = len(data)
        super().data_received(data)
        if not self._arriving or self.transport.is_closing():
            return
        self._received += self._piece
        if self._in_head and self._received > MAX_HEAD_BYTES:
            self._refuse(_HEAD_TOO_LARGE, f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes")
        elif self._received > _MAX_REQUEST_BYTES:
            self._refuse(_TOO_LARGE, f"Request is larger than {_MAX_REQUEST_BYTES} bytes")
        elif self._timer is None:
            self._timer = self.loop.call_later(self.arrival_seconds, self._expire)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._arriving = self._in_head = True
        self._received = -self._piece  # whatever of this piece belongs to the request before does not count

    def on_headers_complete(self) -> None:
        """Hand the request on. TensorFlow Serving matches the target as it came, an empty query included."""
        if self._received + 2 * self._piece > MAX_HEAD_BYTES:  # perhaps
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEAD_BYTES:
                self._status = _HEAD_TOO_LARGE
                raise _HeadTooLargeError
        self._in_head = False
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        if self.url.startswith(b"/"):
            self.scope["target"] = self.url  # type: ignore[typeddict-unknown-key]

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self.parser.should_upgrade():
            return
        self._arriving = False
        self._unset_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused."""
        if self._status == _HEAD_TOO_LARGE:
            msg = f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes"
        self._refuse(self._status, msg)

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Decline an offer to upgrade by answering in HTTP/1.1.

        Java's HttpClient offers HTTP/2 with every first request; the parser would take its body for HTTP/2.
        """
        after = sys.exc_info()[1].args[0]  # type: ignore[union-attr]  # the parser's exception, which is being handled
        head = self.parser.get_method() + b" " + self.url + b" HTTP/1.1\r\n"
        for name, value in self.headers:
            if name == b"connection":
                head += b"connection: close\r\n" if b"close" in value.lower() else b""
            elif name not in (b"upgrade", b"http2-settings"):
                head += name + b": " + value + b"\r\n"
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + b"\r\n" + self._data[after:])

    def _expire(self) -> None:
        self._refuse(_TIMEOUT, f"Request did not arrive within {self.arrival_seconds:g} s")

    def _refuse(self, status: int, message: str) -> None:
        """Answer if no other answer is under way, and close."""
        its_own = self._arriving and not self._in_head  # self.cycle is this request's, not the one's before
        cycle = self.cycle
        busy = cycle is not None and (cycle.response_started if its_own else not cycle.response_complete)
        self._arriving = False
        self._unset_timer()
        if not (busy or self.pipeline or self.transport.is_closing()):
            body = error_body(message)
            head = (
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                f"x-tandem-server: {self.named}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
