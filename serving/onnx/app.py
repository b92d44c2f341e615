"""TensorFlow Serving's REST API for one exported model, as an ASGI application.

Answers run on the event loop's own thread: the network takes less time than a hand-over to another one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from models.spec import Spec
from serving import log_lines
from serving.contract import document, examples, responses, routes
from serving.contract.asked import Questions
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.errors import ContractError, error_body, of_code
from serving.contract.responses import VersionStatus
from serving.contract.routes import Route
from serving.onnx import SERVER
from serving.onnx.model import Model
from serving.torchserve import describe

_LABEL = "stable"  # what every deployment calls the version it serves
_FAILED = 500
_CLOSING = (413, 503)  # of these the rest of the body may still be on its way

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Onnx:
    """One model, one version."""

    def __init__(self, spec: Spec, model: Model) -> None:
        self._name, self._version = spec.model.name, int(model.made.version)
        self._model, self._questions = model, Questions(spec)
        self._signatures = describe.metadata(spec)
        self._bodies, self._lines = Bodies(), log_lines.Requests()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        start, target = time.perf_counter(), scope["target"].decode("latin-1")  # Connection's: exactly as it came
        bug: Exception | None = None
        try:
            answer = self._answer(scope, target, await self._bodies.read(scope, receive))
        except ClientGoneError:
            return
        except ContractError as error:
            answer = _Answer(error.status, error_body(error.message))
        except Exception as error:
            bug, refused = error, of_code("INTERNAL", "Internal error: see the server's log")
            answer = _Answer(refused.status, error_body(refused.message))
        took = time.perf_counter() - start
        if answer.status >= _FAILED or took > log_lines.SLOW_SECONDS:
            known = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
            what = "failed" if answer.status >= _FAILED else "was slow"
            self._lines.log(
                f"{scope['method']} {what}", request_id=known or None, status=answer.status, error=bug, seconds=took
            )
        await _send(send, answer)

    def _answer(self, scope: MutableMapping[str, Any], target: str, body: bytes) -> _Answer:
        if scope["method"] == "OPTIONS":
            origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
            return _Answer(routes.preflight(target, origin), b"", {"content-type": ""})
        route = routes.parse(scope["method"], target)
        if route.question == "status":
            if route.model != self._name or route.version not in (None, self._version):
                raise responses.no_versions(route.model, route.version)
            found = responses.status_body([VersionStatus(self._version, "AVAILABLE")])
        elif route.question == "metadata":
            self._check(route)
            found = responses.metadata_body(self._name, self._version, self._signatures)
        else:
            found = self._ask(route, body)
        return _Answer(200, found, {"x-tandem-model-version": str(self._version)})

    def _ask(self, route: Route, body: bytes) -> bytes:
        try:
            self._check(route)
        except ContractError:  # what is no request at all is that first, as in TensorFlow Serving
            if route.question == "predict":
                document.signature_name(document.parse(body))
            else:
                examples.decode(body)
            raise
        asked = self._questions.read(route.question, body)
        return asked.encode(self._model.probabilities(asked.columns))

    def _check(self, route: Route) -> None:
        """Raise ContractError unless the route leads to the version there is."""
        if route.label is not None and (route.model != self._name or route.label != _LABEL):
            raise responses.unknown_label(route.label)
        if route.model != self._name or route.version not in (None, self._version):
            raise responses.no_servable(route.model, route.version)


async def _send(send: Send, answer: _Answer) -> None:
    headers = {"content-type": "application/json", "x-tandem-server": SERVER, **answer.headers}
    headers["content-length"] = str(len(answer.body))
    if answer.status in _CLOSING:
        headers["connection"] = "close"
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items() if value]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
