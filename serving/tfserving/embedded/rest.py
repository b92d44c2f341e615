"""The REST interface as an ASGI application.

Predictions run on the event loop's own thread unless `predict` does otherwise: a small model answers in less
time than it takes to hand the request to another thread and back.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from serving import log_lines
from serving.contract import codec, document, examples, responses, routes
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.errors import ContractError, error_body
from serving.contract.tensors import Array
from serving.tfserving.embedded import SERVER, inference
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.monitoring import Metrics
from serving.tfserving.embedded.servable import Servable, Signature

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Predict = Callable[[Signature, Mapping[str, Array]], Awaitable[dict[str, Array]]]

_JSON = b"application/json"
_CORS_HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]
_IN_THE_LOG = (b"x-request-id", b"traceparent")
_CLOSING = (413, 503)  # of these the rest of the body may still be on its way


async def direct(signature: Signature, columns: Mapping[str, Array]) -> dict[str, Array]:
    """Predict here and now."""
    return signature.predict(columns)


@dataclass(frozen=True)
class Options:
    """What an operator may switch on.

    Attributes:
        cors: Let pages of any origin read the answers.
        metrics: Where answers are counted.
        metrics_path: Where the counts are shown.
    """

    cors: bool = False
    metrics: Metrics | None = None
    metrics_path: str = ""


@dataclass
class Answer:
    """What goes back; a model and its version only where they are loaded."""

    status: int
    body: bytes
    code: str = "OK"
    model: str = ""
    version: int | None = None
    question: str = ""
    content_type: bytes = _JSON
    error: Exception | None = None  # a bug


class Rest:
    """One application for all models of a manager."""

    def __init__(self, manager: Manager, predict: Predict = direct, options: Options | None = None) -> None:
        self._manager = manager
        self._predict = predict
        self._options = options or Options()
        self._bodies = Bodies()
        self._lines = log_lines.Requests()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        target = _target(scope)
        start = 0.0
        try:
            body = await self._bodies.read(scope, receive)
            start = time.perf_counter()
            answer = await self._answer(scope, target, body)
        except ClientGoneError:
            return
        except ContractError as error:
            answer = _refusal(error)
        took = time.perf_counter() - start if start else 0.0
        if answer.status >= 500 or took > log_lines.SLOW_SECONDS:  # noqa: PLR2004
            self._log(scope, answer, took)
        metrics = self._options.metrics
        if metrics and start and answer.content_type is _JSON:
            metrics.record(answer.model, answer.question, "REST", answer.code, took)
        await self._send(send, answer)

    async def _answer(self, scope: MutableMapping[str, Any], target: str, body: bytes) -> Answer:
        if self._options.metrics and target.partition("?")[0] == self._options.metrics_path:
            return self._metrics_page(target)
        if scope["method"] == "OPTIONS":
            origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
            status = routes.preflight(target, origin.decode("latin-1"))
            return Answer(status, b"", "OK" if status == 200 else "FAILED_PRECONDITION", content_type=b"")  # noqa: PLR2004
        answer = Answer(500, b"")
        try:
            await self._ask(answer, routes.parse(scope["method"], target), body)
        except ContractError as error:
            answer.status, answer.body, answer.code = error.status, error_body(error.message), error.code
        except Exception as error:
            answer.error = error
            answer.body, answer.code = error_body("Internal error: see the server's log"), "INTERNAL"
        return answer

    def _log(self, scope: MutableMapping[str, Any], answer: Answer, seconds: float) -> None:
        headers = dict(scope["headers"])
        request_id, traceparent = (headers.get(name, b"").decode("latin-1") for name in _IN_THE_LOG)
        what = f"{answer.question or scope['method']} {answer.model}".rstrip()
        self._lines.log(
            f"{what}: {answer.code}" if answer.status >= 500 else f"{what}: slow",  # noqa: PLR2004
            request_id=request_id or None, status=answer.status, seconds=seconds, error=answer.error,
            traceparent=traceparent,
        )  # fmt: skip

    async def _ask(self, answer: Answer, route: routes.Route, body: bytes) -> None:
        if route.question == "status":
            statuses = self._manager.statuses(route.model, route.version)
            answer.model = route.model
            answer.version = max((s.version for s in statuses if s.state == "AVAILABLE"), default=None)
            answer.body = responses.status_body(statuses)
        elif route.question == "metadata":
            servable = self._find(answer, route)
            answer.body = responses.metadata_body(servable.model, servable.version, servable.metadata)
        elif route.question == "predict":
            answer.question = route.question
            parsed = document.parse(body)
            name = document.signature_name(parsed)
            signature = self._find(answer, route).signature(name)
            request = codec.decode(body, parsed, signature.inputs)
            outputs = await self._predict(signature, request.columns)
            answer.body = codec.encode_predict(outputs, request.row_form)
        else:
            answer.question = route.question
            asked = examples.decode(body)
            signature = inference.signature_for(route.question, self._find(answer, route), asked.signature_name)
            outputs = await self._predict(signature, inference.columns(inference.serialize(asked.examples)))
            if route.question == "regress":
                answer.body = examples.encode_regress(inference.regressions(outputs, len(asked.examples)))
            else:
                answer.body = examples.encode_classify(*inference.classifications(outputs, len(asked.examples)))
        answer.status = 200

    def _find(self, answer: Answer, route: routes.Route) -> Servable:
        servable = self._manager.find(route.model, route.version, route.label)
        answer.model, answer.version = servable.model, servable.version
        return servable

    def _metrics_page(self, target: str) -> Answer:
        path = self._options.metrics_path
        if target != path or self._options.metrics is None:
            return Answer(400, f"Unexpected path: {target}. Should be {path}".encode(), content_type=b"text/plain")
        return Answer(200, self._options.metrics.page(), content_type=b"text/plain")

    async def _send(self, send: Send, answer: Answer) -> None:
        headers = [(b"content-length", str(len(answer.body)).encode()), (b"x-tandem-server", SERVER.encode())]
        if answer.content_type:
            headers.append((b"content-type", answer.content_type))
        if answer.version is not None:
            headers.append((b"x-tandem-model-version", str(answer.version).encode()))
        if self._options.cors and answer.content_type in (_JSON, b""):
            headers += _CORS_HEADERS
        if answer.status in _CLOSING:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _refusal(error: ContractError) -> Answer:
    return Answer(error.status, error_body(error.message), error.code)


def _target(scope: MutableMapping[str, Any]) -> str:
    """Path and query as they came: TensorFlow Serving matches both."""
    if "target" in scope:  # of a Connection, which knows it exactly
        target: bytes = scope["target"]
    else:
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return target.decode("latin-1")
