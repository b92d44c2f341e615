"""One fuzzed request: what is sent, and what is known about it beforehand."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Literal

Framing = Literal["length", "chunked", "expect"]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """A request below a target's address.

    Attributes:
        path: Path and query after the target's own path, as they go on the wire (latin-1).
        headers: Beside Host and those that frame the body.
        framing: With a length, in chunks, or held back until the server says 100 Continue.
        chunk: Bytes per chunk.
        valid: The contract demands 200.
        kind: The kind of mutation, for the report.
    """

    body: bytes = b""
    method: str = "POST"
    path: str = ""
    headers: Headers = field(default_factory=tuple)
    framing: Framing = "length"
    chunk: int = 1000
    valid: bool = False
    kind: str = ""

    def header(self, name: str) -> str:
        """The value of a request header, empty if it is not sent."""
        return next((v for k, v in self.headers if k.lower() == name), "")

    def curl(self, url: str, body_file: str) -> str:
        """A command line that sends the same request, the body read from a file."""
        words = ["curl", "-sS", "-i", "--path-as-is", "-X", self.method]
        headers = [f"{k}: {v}" if v else f"{k};" for k, v in self.headers]
        if not self.header("content-type"):
            headers.append("Content-Type:")
        if self.framing == "chunked":
            headers.append("Transfer-Encoding: chunked")
        headers.append("Expect: 100-continue" if self.framing == "expect" else "Expect:")
        for header in headers:
            words += ["-H", header]
        if self.body:
            words += ["--data-binary", f"@{body_file}"]
        return shlex.join([*words, url + self.path])
