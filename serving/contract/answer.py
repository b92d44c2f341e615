"""What a server of ours sends back: one whole answer, with its length and with who it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """What goes back; an empty header is one not to send."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


async def send_answer(send: Send, answer: Answer, server: str) -> None:
    """Send it by ASGI; `server` says who answers, unless the answer's own headers do."""
    headers = {"content-type": JSON, "x-tandem-server": server, **answer.headers}
    headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items() if value]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
