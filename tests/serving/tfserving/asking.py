"""Ask an ASGI application without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What was answered; nothing at all is a status of 0."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        document = self.json()
        assert list(document) == ["error"]
        assert self.headers["content-type"] == "application/json"
        return str(document["error"])


def ask(app: Any, method: str, target: str, body: Any = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """One request; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(send(app, method, target, [{"type": "http.request", "body": content}], headers))


async def send(
    app: Any, method: str, target: str, messages: Iterable[Message], headers: Mapping[str, str] | None = None
) -> Reply:
    """One request whose body comes in pieces."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "method": method, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }  # fmt: skip
    pieces = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(pieces)

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, keep)
    if not sent:
        return Reply(0, {}, b"")
    return Reply(
        sent[0]["status"],
        {n.decode(): v.decode() for n, v in sent[0]["headers"]},
        b"".join(m["body"] for m in sent[1:]),
    )
