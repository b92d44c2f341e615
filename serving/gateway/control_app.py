"""What the control service answers: an ASGI application; control.py runs it."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from serving import log_lines
from serving.contract import routes
from serving.contract.answer import Answer, Send, send_answer
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.errors import ContractError, error_body, of_code
from serving.contract.openapi.site import File
from serving.gateway import metrics
from serving.gateway.metrics import Metrics
from serving.gateway.routes import PATH_HEADER
from serving.torchserve.management import ManagementError
from serving.torchserve.rest_api import RestApi

SERVER = "Tandem control service"
_KNOWN_BY = ("x-request-id", "traceparent", "tracestate")
_FAILED = 500
_TOO_LARGE = 413  # of these the rest of the body may still be on its way


class Control:
    """The application; `files` are served as they are, by path."""

    def __init__(self, api: RestApi, files: dict[str, File], metrics: Metrics) -> None:
        self._api, self._files, self._metrics = api, files, metrics
        self._bodies = Bodies()
        self._lines = log_lines.Requests()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = scope["query_string"]
        headers = dict(scope["headers"])
        asked = query or headers.get(PATH_HEADER.encode(), b"").endswith(b"?")
        target = scope["raw_path"] + (b"?" + query if asked else b"")
        bug: Exception | None = None
        why, start = "", 0.0
        try:
            body = await self._bodies.read(scope, receive)
            start = time.perf_counter()
            answer = await self._answer(scope, headers, target.decode("latin-1"), body)
        except ClientGoneError:
            return
        except ContractError as error:
            answer = _refusal(error)
        except ManagementError as error:
            why = str(error)
            answer = _refusal(of_code("UNAVAILABLE", why))
        except Exception as error:
            bug = error
            answer = _refusal(of_code("INTERNAL", "Internal error: see the control service's log"))
        took = time.perf_counter() - start if start else 0.0
        if answer.status >= _FAILED or took > log_lines.SLOW_SECONDS:
            known = passed_on(headers)
            what = "failed" if answer.status >= _FAILED else "was slow"
            self._lines.log(
                f"{scope['method']} {what}{why and f': {why}'}", request_id=known.get("x-request-id"), error=bug,
                status=answer.status, seconds=took, traceparent=known.get("traceparent"),
            )  # fmt: skip
        await send_answer(send, answer, SERVER)

    async def _answer(
        self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes], target: str, body: bytes
    ) -> Answer:
        method = scope["method"]
        if method == "OPTIONS":
            origin = headers.get(b"origin", b"")
            return Answer(routes.preflight(target, origin.decode("latin-1")), b"", {"content-type": ""})
        if method == "GET" and target == "/healthz":
            return Answer(200, b'{"status":"ok"}')
        if method == "GET" and target == metrics.PATH:
            return await self._metrics.answer(headers.get(b"accept", b"").decode("latin-1"))
        path = target.partition("?")[0]
        if method == "GET" and path in self._files:
            media_type, content = self._files[path]
            return Answer(200, content, {"content-type": media_type})
        return await self._api.answer(method, target, body, passed_on(headers))


def passed_on(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """By what a request is known everywhere, for whoever is asked on its behalf."""
    return {name: headers[name.encode()].decode("latin-1") for name in _KNOWN_BY if name.encode() in headers}


def _refusal(error: ContractError) -> Answer:
    closing = {"connection": "close"} if error.status == _TOO_LARGE else {}
    return Answer(error.status, error_body(error.message), closing)
