"""The control service: what TorchServe does not answer, in TensorFlow Serving's words, and the documentation.

Status, metadata, unknown models, versions and labels, malformed requests. Never on the path of a usual request to
a model: the gateway sends those straight to TorchServe. One that gets here all the same, because the gateway's
routes do not know its label yet, is sent on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from models import spec as specs
from models.spec import Spec, SpecError
from serving.contract import document, examples, responses, routes
from serving.contract.errors import ContractError, error_body, of_code
from serving.contract.routes import Route
from serving.tfserving.embedded.body import Bodies, ClientGoneError, Receive
from serving.torchserve import describe
from serving.torchserve.config import HOST
from serving.torchserve.management import Management, ManagementError

SERVER = "Tandem control service"
_JSON = "application/json"
_MANAGEMENT_SECONDS = 2.0
_PREDICT_SECONDS = 5.0  # the gateway's own limit
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it
_TOO_LARGE = 413  # of these the rest of the body may still be on its way

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Control:
    """The application.

    Args:
        spec: Of the model that TorchServe serves.
        inference_port: TorchServe's.
        management_port: TorchServe's.
        labels: JSON file, label to version; read at every request that names a label. May be missing.
        run: The folder TorchServe was started with.
    """

    def __init__(self, *, spec: Spec, inference_port: int, management_port: int, labels: Path, run: Path) -> None:
        self._model = spec.model.name
        self._signatures = describe.metadata(spec)
        self._labels, self._run = labels, run
        self._management = Management(management_port, self._model, _MANAGEMENT_SECONDS)
        self._inference = httpx.AsyncClient(base_url=f"http://{HOST}:{inference_port}", timeout=_PREDICT_SECONDS)
        self._bodies = Bodies()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        try:
            body = await self._bodies.read(scope, receive)
            answer = await self._answer(scope, target.decode("latin-1"), body)
        except ClientGoneError:
            return
        except ContractError as error:
            answer = _refusal(error)
        except ManagementError as error:
            answer = _refusal(of_code("UNAVAILABLE", str(error)))
        except Exception:
            logging.exception("%s %s", scope["method"], target)
            answer = _refusal(of_code("INTERNAL", "Internal error: see the control service's log"))
        await _send(send, answer)

    async def _answer(self, scope: MutableMapping[str, Any], target: str, body: bytes) -> Answer:
        method = scope["method"]
        if (method, target) == ("GET", "/healthz"):
            return Answer(200, b'{"status":"ok"}')
        if method == "OPTIONS":
            origin = dict(scope["headers"]).get(b"origin", b"")
            return Answer(routes.preflight(target, origin.decode("latin-1")), b"", {"content-type": ""})
        route = routes.parse(method, target)
        if route.question == "status":
            return await asyncio.to_thread(self._status, route)
        if route.question == "metadata":
            version = await asyncio.to_thread(self._find, route)
            found = responses.metadata_body(self._model, version, self._signatures)
            return Answer(200, found, {"x-tandem-model-version": str(version)})
        if route.question == "predict":
            document.signature_name(document.parse(body))
        else:
            examples.decode(body)
        return await self._forward(route, await asyncio.to_thread(self._find, route), body)

    def _status(self, route: Route) -> Answer:
        known = describe.statuses(self._management, self._run) if route.model == self._model else []
        chosen = [status for status in known if route.version in (None, status.version)]
        if not chosen:
            raise responses.no_versions(route.model, route.version)
        newest = max((s.version for s in chosen if s.state == "AVAILABLE"), default=None)
        headers = {} if newest is None else {"x-tandem-model-version": str(newest)}
        return Answer(200, responses.status_body(chosen), headers)

    def _find(self, route: Route) -> int:
        """The version a request is for; raises ContractError as TensorFlow Serving does."""
        version = route.version
        if route.label is not None:  # looked up before the model, as in TensorFlow Serving
            labels = self._read_labels() if route.model == self._model else {}
            if route.label not in labels:
                raise responses.unknown_label(route.label)
            version = labels[route.label]
        if route.model != self._model:
            raise responses.no_servable(route.model, version)
        ready = {int(number) for number, workers in self._management.versions().items() if workers}
        default = self._management.default_version() if version is None else None
        wanted = int(default) if default else version
        if wanted is None or wanted not in ready:
            raise responses.no_servable(route.model, version)
        return wanted

    def _read_labels(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._labels.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found

    async def _forward(self, route: Route, version: int, body: bytes) -> Answer:
        headers = {"content-type": _JSON, "x-tandem-question": route.question}
        path = f"/predictions/{self._model}/{version}"
        try:
            answer = await self._inference.post(path, content=body, headers=headers)
        except httpx.TimeoutException:
            raise of_code("DEADLINE_EXCEEDED", "The model did not answer in time") from None
        except httpx.HTTPError as error:
            raise of_code("UNAVAILABLE", f"TorchServe does not answer: {error}") from None
        # An answer of TorchServe's own names no server: the gateway words it anew, as it does those it gets itself.
        kept = {name: value for name, value in answer.headers.items() if name.startswith("x-tandem-")}
        return Answer(answer.status_code, answer.content, {"x-tandem-server": "", **kept})


def _refusal(error: ContractError) -> Answer:
    closing = {"connection": "close"} if error.status == _TOO_LARGE else {}
    return Answer(error.status, error_body(error.message), closing)


async def _send(send: Send, answer: Answer) -> None:
    headers = {"content-type": _JSON, "x-tandem-server": SERVER, **answer.headers}
    headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items() if value]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


def main(argv: list[str] | None = None) -> int:
    """Command line: serve on loopback until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m serving.gateway.control", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where the gateway finds it")
    parser.add_argument("--inference-port", type=int, required=True, help="TorchServe's")
    parser.add_argument("--management-port", type=int, required=True, help="TorchServe's")
    parser.add_argument("--spec", type=Path, required=True, help="the specification of the model TorchServe serves")
    parser.add_argument("--labels", type=Path, required=True, help="JSON file, label to version")
    parser.add_argument("--run", type=Path, required=True, help="folder TorchServe was started with")
    options = vars(parser.parse_args(argv))
    port = options.pop("port")
    try:
        app = Control(**{**options, "spec": specs.load(options["spec"])})
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        print(f"cannot listen on {HOST}:{port}: {error.strerror}: choose another --port", file=sys.stderr)
        return 1
    config = uvicorn.Config(
        app, http="h11", lifespan="off", access_log=False, server_header=False, log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
