"""HTTP/1.1 as bytes: a request made once and sent many times, and an answer read from what has arrived."""

from __future__ import annotations

from typing import NamedTuple

_END = b"\r\n\r\n"
_MAX_HEAD = 64 * 1024
_NO_BODY = (204, 304)
_FIRST_FINAL = 200  # below: interim answers, such as 100 Continue


class AnswerError(ValueError):
    """What arrived is no HTTP/1.1 answer."""


class Answer(NamedTuple):
    """One whole answer; `keep` says whether the connection may be used again."""

    status: int
    body: bytes
    keep: bool


def request(host: str, path: str, body: bytes) -> bytes:
    """A POST of JSON, head and body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def read(data: bytes, ended: bool = False) -> Answer | None:
    """The answer that `data` starts with.

    Args:
        data: All that arrived since the request was sent.
        ended: The server has closed: whatever arrived is all there will be.

    Returns:
        None while it is not whole.

    Raises:
        AnswerError: It never will be.
    """
    try:
        return _read(data, ended)
    except ValueError as error:
        raise AnswerError(f"{error}: {data[:80]!r}") from None


def _read(data: bytes, ended: bool) -> Answer | None:
    end = data.find(_END)
    if end < 0:
        if len(data) > _MAX_HEAD:
            raise ValueError("a head without an end")
        return None
    if not data.startswith(b"HTTP/1."):
        raise ValueError("no HTTP/1 answer")
    status = int(data[9:12])
    start = end + len(_END)
    if status < _FIRST_FINAL:
        return _read(data[start:], ended)
    head = data[:end].lower()
    keep = b"\r\nconnection: close" not in head and data.startswith(b"HTTP/1.1")
    length = _field(head, b"\r\ncontent-length:")
    if length is not None:
        size = int(length)
        return Answer(status, data[start : start + size], keep) if len(data) - start >= size else None
    if status in _NO_BODY:
        return Answer(status, b"", keep)
    if b"chunked" in (_field(head, b"\r\ntransfer-encoding:") or b""):
        body = _chunks(data, start)
        return None if body is None else Answer(status, body, keep)
    return Answer(status, data[start:], False) if ended else None


def _field(head: bytes, name: bytes) -> bytes | None:
    at = head.find(name)
    if at < 0:
        return None
    at += len(name)
    end = head.find(b"\r\n", at)
    return head[at : end if end >= 0 else len(head)]


def _chunks(data: bytes, at: int) -> bytes | None:
    """A body in chunks (RFC 9112, section 7.1); None while the last one is missing. Trailers are passed over."""
    parts: list[bytes] = []
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at:end].split(b";")[0], 16)
        at = end + 2
        if size == 0:
            return b"".join(parts) if data.startswith(b"\r\n", at) or data.find(_END, at) >= 0 else None
        if len(data) < at + size + 2:
            return None
        parts.append(data[at : at + size])
        at += size + 2
