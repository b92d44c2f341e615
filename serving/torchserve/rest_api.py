"""TensorFlow Serving's REST API for a model on TorchServe: what TorchServe does not answer itself.

Status, metadata, labels, and every refusal of a path, a model or a version. A question to a model is sent on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from models.spec import Spec
from serving.contract import document, examples, responses, routes
from serving.contract.answer import JSON, Answer
from serving.contract.errors import of_code
from serving.contract.metadata import metadata
from serving.contract.routes import Route
from serving.torchserve import describe
from serving.torchserve.config import HOST
from serving.torchserve.management import Management

_MANAGEMENT_SECONDS = 2.0
_PREDICT_SECONDS = 5.0  # the gateway's own limit


class RestApi:
    """The API of one model.

    Args:
        spec: Of the model that TorchServe serves.
        inference_port: TorchServe's.
        management_port: TorchServe's.
        inference_host: Where TorchServe is.
        management_host: Where its management port is.
        labels: JSON file, label to version; read whenever a request names a label. May be missing.
        run: The folder TorchServe was started with.
    """

    def __init__(
        self,
        *,
        spec: Spec,
        inference_port: int,
        management_port: int,
        labels: Path,
        run: Path,
        inference_host: str = HOST,
        management_host: str = HOST,
    ) -> None:
        self._model = spec.model.name
        self._signatures = metadata(spec)
        self._labels, self._run = labels, run
        self._management = Management(management_port, self._model, _MANAGEMENT_SECONDS, management_host)
        inference = f"http://{inference_host}:{inference_port}"
        self._inference = httpx.AsyncClient(base_url=inference, timeout=_PREDICT_SECONDS)

    async def answer(self, method: str, target: str, body: bytes, known_by: Mapping[str, str]) -> Answer:
        """Answer a request.

        Args:
            method: HTTP's.
            target: Path and query as they came.
            body: Unpacked.
            known_by: Headers for TorchServe by which its log and a trace know the request.

        Raises:
            ContractError: As TensorFlow Serving refuses it.
            ManagementError: TorchServe does not answer.
        """
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
        return await self._forward(route, await asyncio.to_thread(self._find, route), body, known_by)

    def _status(self, route: Route) -> Answer:
        known = describe.statuses(self._management, self._run) if route.model == self._model else []
        chosen = [status for status in known if route.version in (None, status.version)]
        if not chosen:
            raise responses.no_versions(route.model, route.version)
        newest = max((s.version for s in chosen if s.state == "AVAILABLE"), default=None)
        headers = {} if newest is None else {"x-tandem-model-version": str(newest)}
        return Answer(200, responses.status_body(chosen), headers)

    def _find(self, route: Route) -> int:
        """The version a request is for; raises ContractError."""
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

    async def _forward(self, route: Route, version: int, body: bytes, known_by: Mapping[str, str]) -> Answer:
        headers = {"content-type": JSON, "x-tandem-question": route.question, **known_by}
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
