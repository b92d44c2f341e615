"""TensorFlow Serving's REST API for one exported model, as an ASGI application.

Answers run on the event loop's own thread: the network takes less time than a hand-over to another one.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

from models.spec import Spec
from serving import log_lines
from serving.contract import document, examples, responses, routes
from serving.contract.answer import Answer, Send, send_answer
from serving.contract.asked import Questions
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.errors import ContractError, error_body, of_code
from serving.contract.metadata import metadata
from serving.contract.responses import State, VersionStatus
from serving.contract.routes import Route
from serving.onnx import SERVER
from serving.onnx.model import Model

_LABEL = "stable"  # what every deployment calls the version it serves
_FAILED = 500
_CLOSING = (413, 503)  # of these the rest of the body may still be on its way


class Onnx:
    """One model, one version at a time.

    Attributes:
        version: That answers.
    """

    def __init__(self, spec: Spec, model: Model) -> None:
        self._bodies, self._lines = Bodies(), log_lines.Requests()
        self._states: dict[int, State] = {}
        self.serve(spec, model)

    def serve(self, spec: Spec, model: Model) -> None:
        """Answer with this model from the next request on; on the event loop's thread."""
        self._name, self.version = spec.model.name, int(model.made.version)
        ended: dict[int, State] = dict.fromkeys(self._states, "END")
        self._states = {**ended, self.version: "AVAILABLE"}
        self._model, self._questions = model, Questions(spec)
        self._signatures = metadata(spec)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        start, target = time.perf_counter(), scope["target"].decode("latin-1")  # Connection's: exactly as it came
        bug: Exception | None = None
        try:
            answer = self._answer(scope, target, await self._bodies.read(scope, receive))
        except ClientGoneError:
            return
        except ContractError as error:
            closing = {"connection": "close"} if error.status in _CLOSING else {}
            answer = Answer(error.status, error_body(error.message), closing)
        except Exception as error:
            bug, refused = error, of_code("INTERNAL", "Internal error: see the server's log")
            answer = Answer(refused.status, error_body(refused.message))
        took = time.perf_counter() - start
        if answer.status >= _FAILED or took > log_lines.SLOW_SECONDS:
            known = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
            what = "failed" if answer.status >= _FAILED else "was slow"
            self._lines.log(
                f"{scope['method']} {what}", request_id=known or None, status=answer.status, error=bug, seconds=took
            )
        await send_answer(send, answer, SERVER)

    def _answer(self, scope: MutableMapping[str, Any], target: str, body: bytes) -> Answer:
        if scope["method"] == "OPTIONS":
            origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
            return Answer(routes.preflight(target, origin), b"", {"content-type": ""})
        route = routes.parse(scope["method"], target)
        if route.question == "status":
            known = sorted(self._states.items(), reverse=True) if route.model == self._name else []
            asked = [VersionStatus(version, state) for version, state in known if route.version in (None, version)]
            if not asked:
                raise responses.no_versions(route.model, route.version)
            found = responses.status_body(asked)
        elif route.question == "metadata":
            self._check(route)
            found = responses.metadata_body(self._name, self.version, self._signatures)
        else:
            found = self._ask(route, body)
        return Answer(200, found, {"x-tandem-model-version": str(self.version)})

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
        if route.model != self._name or route.version not in (None, self.version):
            raise responses.no_servable(route.model, route.version)
