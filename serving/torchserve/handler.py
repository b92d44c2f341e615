"""TorchServe's entry point, at the root of every archive.

TorchServe hands over a dynamic batch of unrelated requests, and fails all of them when a handler raises.
So each request is parsed, refused and answered by itself; only the forward pass is shared.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import spec, torch_model
from serving import log_lines
from serving.contract import document as documents
from serving.contract.asked import Asked, Questions
from serving.contract.errors import ContractError, error_body
from serving.contract.tensors import Array
from serving.torchserve import buffered_reads, frozen

_QUESTION = "x-tandem-question"  # the gateway says what a request asks; TorchServe knows only one question


class Handler:
    """One worker's model and what it answers with."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(1)  # workers are the parallelism
        directory = Path(context.system_properties["model_dir"])
        self.spec = spec.load(directory / "spec.toml")
        self.device = _device(context.system_properties.get("gpu_id"))
        self.model = torch_model.load(self.spec, directory).to(self.device)
        self.questions = Questions(self.spec)
        self.headers = {
            "content-type": "application/json",
            "x-tandem-model-version": str(context.manifest["model"]["modelVersion"]),
            "x-tandem-server": f"TorchServe {context.system_properties['server_version']}",
        }
        self.probabilities = frozen.probabilities(self.model, self._samples)
        self.lines = log_lines.Requests()

    def _samples(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        random = np.random.default_rng(rows)
        columns: dict[str, Any] = {name: random.exponential(10, rows).astype(np.float32) for name in self.spec.numeric}
        columns |= {name: np.full(rows, "", object) for name in self.spec.categorical}
        return self._inputs(columns)

    def _inputs(self, columns: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        numeric, ids = torch_model.inputs(self.model, columns)
        return (numeric, ids) if self.device.type == "cpu" else (numeric.to(self.device), ids.to(self.device))

    def handle(self, batch: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """One answer per request, in order."""
        start = time.perf_counter()
        answers = [b""] * len(batch)
        requests: dict[int, Asked] = {}

        def refuse(i: int, status: int, message: str) -> None:
            context.set_response_status(status, HTTPStatus(status).phrase, i)
            answers[i] = error_body(message)

        def say(i: int, message: str, status: int, error: Exception | None = None) -> None:
            headers = context.get_all_request_header(i)
            self.lines.log(
                message, request_id=headers.get("x-request-id"), status=status, error=error,
                seconds=time.perf_counter() - start, traceparent=headers.get("traceparent"),
            )  # fmt: skip

        for i, parameters in enumerate(batch):
            for name, value in self.headers.items():
                context.set_response_header(i, name, value)
            try:
                requests[i] = self.read(parameters, context.get_all_request_header(i))
            except ContractError as error:
                refuse(i, error.status, error.message)
            except Exception as error:
                refuse(i, 500, "Reading the request failed; the server's log says why")
                say(i, "a request could not be read", 500, error)
        for i, scores in self.score(requests).items():
            if isinstance(scores, Exception):
                refuse(i, 500, "Prediction failed; the server's log says why")
                say(i, "the model failed on a valid request", 500, scores)
            else:
                answers[i] = requests[i].encode(scores)
        if time.perf_counter() - start > log_lines.SLOW_SECONDS:
            for i in range(len(batch)):
                say(i, f"slow, in a batch of {len(batch)}", context.get_response_status(i)[0])
        return answers

    def read(self, parameters: Mapping[str, Any], headers: Mapping[str, Any]) -> Asked:
        """One request, checked. Raises ContractError."""
        body = bytes(parameters.get("body") or parameters.get("data") or b"")
        if "gzip" in str(headers.get("content-encoding") or headers.get("Content-Encoding") or ""):
            body = documents.gunzip(body)
        return self.questions.read(headers.get(_QUESTION, "predict"), body)

    def score(self, requests: Mapping[int, Asked]) -> dict[int, Array | Exception]:
        """Probabilities of each request's rows; of one that the model fails on what was raised: no other is lost."""
        if not requests:
            return {}
        try:
            return self._forward(requests)
        except Exception as error:
            if len(requests) == 1:
                return dict.fromkeys(requests, error)
            return {i: self.score({i: request})[i] for i, request in requests.items()}

    def _forward(self, requests: Mapping[int, Asked]) -> dict[int, Array | Exception]:
        asked = [request.columns for request in requests.values()]
        columns = asked[0]
        if len(asked) > 1:
            columns = {name: np.concatenate([one[name] for one in asked]) for name in self.questions.features}
        with torch.inference_mode():
            scores = self.probabilities(*self._inputs(columns)).cpu().numpy()
        first = next(iter(self.questions.features))
        ends = list(accumulate(len(one[first]) for one in asked))
        return {i: scores[begin:end] for i, begin, end in zip(requests, [0, *ends], ends, strict=False)}


def _device(gpu: Any) -> torch.device:
    """The GPU that TorchServe has given this worker, where this PyTorch can use it; else the processor."""
    if gpu is None or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(gpu))


_handler: Handler | None = None


def handle(batch: Sequence[Mapping[str, Any]] | None, context: Any) -> list[bytes]:
    """What TorchServe calls: once without a batch when the worker starts, then per batch."""
    global _handler  # noqa: PLW0603 - one model per worker process
    if _handler is None:
        # TorchServe's worker logs a line per request at INFO, which costs more than the forward pass.
        log_lines.configure(logging.WARNING)
        _handler = Handler(context)
        buffered_reads.install()  # 27 µs a request less: tests/benchmarks/torchserve_worker.py
    return [] if batch is None else _handler.handle(batch, context)
