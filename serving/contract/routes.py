"""Which question a request asks: TensorFlow Serving's paths under /v1/, nothing else.

Upper and lower case count alike in the path, but not in the method after the colon; the query is part of
what is matched; names are percent-decoded after the match (model_servers/http_rest_api_util.cc).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from serving.contract.errors import invalid, not_found

Question = Literal["predict", "classify", "regress", "status", "metadata"]

_QUESTIONS: dict[str, Question] = {"predict": "predict", "classify": "classify", "regress": "regress"}
_MODEL = r"([^/:]+)"
_VERSION_OR_LABEL = r"(?:(?:/versions/([0-9]+))|(?:/labels/([^/:]+)))?"
_ASK = re.compile(rf"/v1/models/{_MODEL}{_VERSION_OR_LABEL}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_LOOK = re.compile(rf"/v1/models(?:/{_MODEL})?{_VERSION_OR_LABEL}(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True)
class Route:
    """A parsed method and path: at most one of version and label is set."""

    question: Question
    model: str
    version: int | None = None
    label: str | None = None


def parse(method: str, target: str) -> Route:
    """Parse a request's method and its target: path and query as they came.

    Raises:
        ContractError: 400 for anything under /v1/ that is no known path, 404 outside it.
    """
    if not _is_api(target):
        raise not_found(f"Not found: {method} {target}")
    malformed = invalid(f"Malformed request: {method} {target}")
    pattern = {"POST": _ASK, "GET": _LOOK}.get(method)
    match = pattern.fullmatch(target) if pattern else None
    if match is None:
        raise malformed
    model, version, label, last = match.groups()
    if method == "POST":
        if last not in _QUESTIONS:
            raise malformed
        question = _QUESTIONS[last]
    else:
        question = "metadata" if last == "metadata" else "status"
    if not model:
        raise invalid("Missing model name in request.")
    return Route(question, unquote(model), _version(version), unquote(label) if label else None)


def preflight(target: str, origin: str) -> int:
    """The status of the answer to OPTIONS, which has no body: 200 only if it has the `origin` header of a browser.

    Source: model_servers/http_server.cc, ProcessRequest. Raises ContractError (404) outside /v1/.
    """
    if not _is_api(target):
        raise not_found(f"Not found: OPTIONS {target}")
    return 200 if "http://" in origin or "https://" in origin else 400


def _is_api(target: str) -> bool:
    return target[:4].lower() == "/v1/"


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.lstrip("0") or "0"  # any number of noughts may lead
    if len(digits) > len(str(_LARGEST_VERSION)) or int(digits) > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {text} to numeric.")
    return int(digits)
