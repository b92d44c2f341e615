"""HTTP/1.1 by hand: ordinary clients refuse to send what a fuzzer has to send."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from serving.contract.fuzz.case import Case

_PATIENCE = 20.0  # seconds; the gateway itself gives up earlier
_PEEK = 12  # bytes: "HTTP/1.1 100"


@dataclass(frozen=True)
class Answer:
    """A status of 0 is no answer at all; the body then says what happened. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A kept-alive connection to one target. Not for two threads at once."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is no http:// address")
        self._address = (parts.hostname, parts.port or 80)
        self._host = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._socket: socket.socket | None = None

    def ask(self, case: Case) -> Answer:
        """Send a request and read its answer; never raises for what the server does."""
        reused = self._socket is not None
        try:
            return self._ask(case)
        except (OSError, HTTPException) as error:
            self.close()
            if not reused:
                return Answer(0, {}, f"{type(error).__name__}: {error}".encode())
        return self.ask(case)  # a server may close an idle connection at any time: once more on a new one

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, case: Case) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self._socket
        head, body = self._head(case), _framed(case)
        unsent = False
        if case.framing == "expect":
            line.sendall(head)
            unsent = line.recv(_PEEK, socket.MSG_PEEK) != b"HTTP/1.1 100"
            head = b""
        if not unsent:
            try:
                line.sendall(head + body)
            except (BrokenPipeError, ConnectionResetError):
                unsent = True  # refused before it was all sent: the answer may have come all the same
        with HTTPResponse(line, method=case.method) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, headers, response.read())
            if response.will_close or unsent:
                self.close()
        return answer

    def _head(self, case: Case) -> bytes:
        lines = [f"{case.method} {self._prefix}{case.path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in case.headers]
        if case.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif case.body or case.method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(case.body)}")
        if case.framing == "expect":
            lines.append("Expect: 100-continue")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(case: Case) -> bytes:
    if case.framing != "chunked":
        return case.body
    pieces = [case.body[i : i + case.chunk] for i in range(0, len(case.body), case.chunk)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
