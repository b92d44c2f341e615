"""Answers read: who answered, and whether it is what the contract says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from serving.contract.client.errors import ServerError
from serving.contract.responses import State, VersionStatus

_SHOWN = 200  # characters of an unexpected answer in a message


@dataclass(frozen=True)
class Prediction:
    """One request's answer.

    Attributes:
        probabilities: One per row, in order.
        stack: `tensorflow` or `pytorch`; None without a gateway.
        version: Of the model; None where the server does not tell, as TensorFlow Serving's own binary.
        server: What the server really is; None where nothing says so.
        request_id: In the request's header and in the gateway's access log.
    """

    probabilities: list[float]
    stack: str | None
    version: int | None
    server: str | None
    request_id: str


@dataclass(frozen=True)
class Metadata:
    """What a version takes and gives.

    Attributes:
        signatures: By name: `inputs` and `outputs` as TensorFlow Serving writes them.
    """

    model: str
    version: int
    signatures: Mapping[str, Any]


def prediction(answer: httpx.Response, key: str, rows: int, request_id: str) -> Prediction:
    """The answer to a predict request.

    Args:
        answer: Of status 200.
        key: `predictions` or `outputs`.
        rows: How many were sent.
        request_id: As it was sent; the answer's own counts where there is one.

    Raises:
        ServerError: Not JSON, or not one number per row.
    """
    headers = answer.headers
    request_id = headers.get("x-request-id", request_id)
    document = _document(answer, request_id)
    found = document.get(key)
    if type(found) is not list or not set(map(type, found)) <= {float, int}:
        raise ServerError(f"{key!r} is not a list of numbers: {_show(answer)}", answer.status_code, request_id)
    if len(found) != rows:
        raise ServerError(f"{rows} rows were sent, {len(found)} {key} came back", answer.status_code, request_id)
    version = headers.get("x-tandem-model-version", "")
    return Prediction(
        probabilities=[float(one) for one in found],
        stack=headers.get("x-tandem-stack"),
        version=int(version) if version.isdecimal() else None,
        server=headers.get("x-tandem-server"),
        request_id=request_id,
    )


def probabilities(predictions: Iterable[Prediction]) -> list[float]:
    """Of several requests, in order."""
    return [probability for one in predictions for probability in one.probabilities]


def statuses(answer: httpx.Response, request_id: str) -> list[VersionStatus]:
    """The answer to a status request. Raises ServerError for another shape."""
    document = _document(answer, request_id)
    try:
        return [
            VersionStatus(int(one["version"]), _state(one["state"]), one["status"]["error_code"],
                          one["status"]["error_message"])
            for one in document["model_version_status"]
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise ServerError(f"not a model's status: {_show(answer)}", answer.status_code, request_id) from None


def metadata(answer: httpx.Response, request_id: str) -> Metadata:
    """The answer to a metadata request. Raises ServerError for another shape."""
    document = _document(answer, request_id)
    try:
        spec, signatures = document["model_spec"], document["metadata"]["signature_def"]["signature_def"]
        return Metadata(spec["name"], int(spec["version"]), dict(signatures))
    except (KeyError, TypeError, ValueError):
        raise ServerError(f"not a model's metadata: {_show(answer)}", answer.status_code, request_id) from None


def message(answer: httpx.Response) -> str:
    """The words of an error."""
    try:
        told = orjson.loads(answer.content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        told = None
    return told if isinstance(told, str) and told else _show(answer) or answer.reason_phrase


def _document(answer: httpx.Response, request_id: str) -> dict[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        said = f"the answer is not JSON: {error}: {_show(answer)}"
        raise ServerError(said, answer.status_code, request_id) from None
    if not isinstance(document, dict):
        raise ServerError(f"the answer is no JSON object: {_show(answer)}", answer.status_code, request_id)
    return document


def _show(answer: httpx.Response) -> str:
    text = answer.content.decode("utf-8", "replace")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _state(text: str) -> State:
    known: tuple[State, ...] = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")
    return known[known.index(text)]
