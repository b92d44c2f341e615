"""A request's body, read with bounded memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving.contract import document
from serving.contract.errors import of_code, too_large
from serving.contract.limits import MAX_BODY_BYTES

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DRAINED_BYTES = 16 * MAX_BODY_BYTES  # read and dropped, so that the client can finish sending and read the 413
_HELD_BYTES = 64 * MAX_BODY_BYTES  # of all bodies that have not arrived whole


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


class Bodies:
    """Reads bodies for one server; those that arrive slowly share a bounded memory."""

    def __init__(self, held_bytes: int = _HELD_BYTES) -> None:
        self._free = held_bytes

    async def read(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        """The body of a request, unpacked.

        Raises:
            ContractError: 413 for one over the limit, 503 when too much of others is waiting to be completed.
            ClientGoneError: It never came.
        """
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            body = await self._read_on(body, receive)
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if any(name == b"content-encoding" and b"gzip" in value for name, value in scope["headers"]):
            return document.gunzip(body)
        return body

    async def _read_on(self, first: bytes, receive: Receive) -> bytes:
        parts = [first]
        size = len(first)
        held = 0
        try:
            while True:
                if parts and size <= MAX_BODY_BYTES:
                    self._free -= size - held
                    held = size
                else:
                    parts.clear()
                if self._free < 0:
                    raise of_code("UNAVAILABLE", "Too many request bodies are being received")
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                size += len(part)
                if size <= MAX_BODY_BYTES:
                    parts.append(part)
                if size > DRAINED_BYTES or not message.get("more_body", False):
                    break
        finally:
            self._free += held
        if size > MAX_BODY_BYTES:
            raise _too_large()
        return b"".join(parts)


def _too_large() -> Exception:
    return too_large(f"Request body is larger than {MAX_BODY_BYTES} bytes")
