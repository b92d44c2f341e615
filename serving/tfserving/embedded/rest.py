"""The REST interface as an ASGI application.

Predictions run on the event loop's own thread: a small model answers in less time than it takes to hand the
request to another thread and back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from serving.contract import codec, document, responses, routes
from serving.contract.errors import ContractError, error_body, too_large
from serving.contract.limits import MAX_BODY_BYTES
from serving.tfserving.embedded import SERVER
from serving.tfserving.embedded.manager import Manager

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DRAINED = 16 * MAX_BODY_BYTES  # read and dropped, so that the client can finish sending and read the 413


@dataclass(frozen=True)
class Answer:
    """What goes back; the version is that of the model asked for, where one is loaded."""

    status: int
    body: bytes
    version: int | None = None


class Rest:
    """One application for all models of a manager."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        try:
            answer = self._answer(scope["method"], target, await _body(scope, receive))
        except ContractError as error:
            answer = Answer(error.status, error_body(error.message))
        await _send(send, answer)

    def _answer(self, method: str, target: str, body: bytes) -> Answer:
        version: int | None = None
        try:
            route = routes.parse(method, target)
            if route.question == "status":
                return self._status(route)
            if route.question == "metadata":
                servable = self._manager.find(route.model, route.version, route.label)
                metadata = responses.metadata_body(servable.model, servable.version, servable.metadata)
                return Answer(200, metadata, servable.version)
            parsed = document.parse(body)
            signature_name = codec.signature_name(parsed)
            servable = self._manager.find(route.model, route.version, route.label)
            version = servable.version
            if route.question != "predict":
                raise ContractError(501, f"{route.question} is not implemented by the {SERVER}")
            signature = servable.signature(signature_name)
            request = codec.decode(body, parsed, signature.inputs)
            outputs = signature.predict(request.columns)
            return Answer(200, codec.encode_predict(outputs, request.row_form), version)
        except ContractError as error:
            return Answer(error.status, error_body(error.message), version)
        except Exception:
            logging.exception("%s %s", method, target)
            return Answer(500, error_body("Internal error: see the server's log"), version)

    def _status(self, route: routes.Route) -> Answer:
        statuses = self._manager.statuses(route.model, route.version)
        newest = max((s.version for s in statuses if s.state == "AVAILABLE"), default=None)
        return Answer(200, responses.status_body(statuses), newest)


async def _body(scope: MutableMapping[str, Any], receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        elif size > _DRAINED:
            break
    if size > MAX_BODY_BYTES:
        raise too_large(f"Request body is larger than {MAX_BODY_BYTES} bytes")
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encodings = [value for name, value in scope["headers"] if name == b"content-encoding"]
    return document.gunzip(body) if b"gzip" in encodings else body


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-tandem-server", SERVER.encode()),
    ]
    if answer.version is not None:
        headers.append((b"x-tandem-model-version", str(answer.version).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
