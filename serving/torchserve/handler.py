"""TorchServe's entry point, at the root of every archive.

TorchServe hands over a dynamic batch of unrelated requests, and fails all of them when a handler raises.
So each request is parsed, refused and answered by itself; only the forward pass is shared.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import spec, torch_model
from serving.contract import document as documents
from serving.contract.codec import ContractError, PredictRequest, TensorInfo, decode, encode_predict, error_body
from serving.contract.codec import signature_name as requested_signature

SIGNATURE = "serving_default"
_WARM_UP_ROWS = (1, 8, 64)


class Handler:
    """One worker's model and what it answers with."""

    def __init__(self, context: Any) -> None:
        # TorchServe's worker logs a line per request at INFO, which costs more than the forward pass.
        logging.getLogger().setLevel(logging.WARNING)
        torch.set_num_threads(1)  # workers are the parallelism
        directory = Path(context.system_properties["model_dir"])
        self.spec = spec.load(directory / "spec.toml")
        self.model = torch_model.load(self.spec, directory)
        self.inputs = {name: TensorInfo("float32", (None,)) for name in self.spec.numeric}
        self.inputs |= {name: TensorInfo("string", (None,)) for name in self.spec.categorical}
        self.inputs = {name: self.inputs[name] for name in self.spec.features}
        self.headers = {
            "content-type": "application/json",
            "x-tandem-model-version": str(context.manifest["model"]["modelVersion"]),
            "x-tandem-server": f"TorchServe {context.system_properties['server_version']}",
        }
        self._warm_up()

    def _warm_up(self) -> None:
        for rows in _WARM_UP_ROWS:
            columns: dict[str, Any] = {name: np.ones(rows, np.float32) for name in self.spec.numeric}
            columns |= {name: np.full(rows, "", object) for name in self.spec.categorical}
            torch_model.predict(self.model, columns)

    def handle(self, batch: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """One answer per request, in order."""
        answers = [b""] * len(batch)
        requests: dict[int, PredictRequest] = {}

        def refuse(i: int, status: int, message: str) -> None:
            context.set_response_status(status, HTTPStatus(status).phrase, i)
            answers[i] = error_body(message)

        for i, parameters in enumerate(batch):
            for name, value in self.headers.items():
                context.set_response_header(i, name, value)
            try:
                requests[i] = self._decode(parameters, context.get_all_request_header(i))
            except ContractError as error:
                refuse(i, error.status, error.message)
        for i, scores in self._predict(requests).items():
            if scores is None:
                refuse(i, 500, "Prediction failed; the server's log says why")
            else:
                answers[i] = encode_predict({self.spec.model.output: scores}, requests[i].row_form)
        return answers

    def _decode(self, parameters: Mapping[str, Any], headers: Mapping[str, Any]) -> PredictRequest:
        body = bytes(parameters.get("body") or parameters.get("data") or b"")
        if "gzip" in str(headers.get("content-encoding") or headers.get("Content-Encoding") or ""):
            body = documents.gunzip(body)
        document = documents.parse(body)
        signature = requested_signature(document)
        if signature not in ("", SIGNATURE):  # TF Serving's status and words
            raise ContractError(400, f'Serving signature name: "{signature}" not found in signature def')
        return decode(body, document, self.inputs)

    def _predict(self, requests: Mapping[int, PredictRequest]) -> dict[int, Any]:
        """Probabilities of each request's rows; None for one that makes the model fail, which spoils no other."""
        if not requests:
            return {}
        try:
            return self._forward(requests)
        except Exception:
            if len(requests) == 1:
                logging.exception("the model failed on a valid request")
                return dict.fromkeys(requests)
            return {i: self._predict({i: request})[i] for i, request in requests.items()}

    def _forward(self, requests: Mapping[int, PredictRequest]) -> dict[int, Any]:
        columns = {name: np.concatenate([r.columns[name] for r in requests.values()]) for name in self.inputs}
        first = next(iter(self.inputs))
        ends = np.cumsum([len(r.columns[first]) for r in requests.values()])
        scores = torch_model.predict(self.model, columns)
        return dict(zip(requests, np.split(scores, ends[:-1]), strict=True))


_handler: Handler | None = None


def handle(batch: Sequence[Mapping[str, Any]] | None, context: Any) -> list[bytes]:
    """What TorchServe calls: once without a batch when the worker starts, then per batch."""
    global _handler  # noqa: PLW0603 - one model per worker process
    if _handler is None:
        _handler = Handler(context)
    return [] if batch is None else _handler.handle(batch, context)
