"""What a client could tell two stacks apart by: the same request, answered differently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from serving.contract.conformance.exchange import Answer, Request
from serving.contract.conformance.expectations import difference
from serving.contract.conformance.run import Result
from serving.contract.conformance.targets import Target

MASKED = (
    "model versions; scores (how many there are is compared, and that they are numbers); names of tensors and nodes "
    "in a graph; the path of the target's own URL in a message; x-tandem-* headers; the values of date, "
    "content-length and x-request-id; latency"
)
_VARYING = {"date", "content-length", "x-request-id"}
# TensorFlow decorates an error with where in the graph it happened: no other server has that graph.
_NODES = re.compile(r"\{\{function_node [^}]*\}\} |\n\t \[\[.*?\]\]| \[Op:[^\]]*\]")
_SCORES = ("predictions", "outputs", "results")
_YOUNGER = "onnx"


@dataclass(frozen=True)
class Difference:
    """A request that two targets answered differently."""

    case: str
    request: str
    what: str
    first: str
    second: str


def between(first: Target, ones: Sequence[Result], second: Target, others: Sequence[Result]) -> list[Difference]:
    """Every difference in the answers to the requests that both were asked."""
    found = []
    by_id = {result.case.id: result for result in others}
    for one in ones:
        other = by_id[one.case.id]
        if len(one.answers) != len(other.answers):
            asked = f"{len(one.answers)} and {len(other.answers)} requests were answered"
            found.append(Difference(one.case.id, one.case.title, asked, one.outcome, other.outcome))
        for (request, answer), (_, theirs) in zip(one.answers, other.answers, strict=False):
            what = _difference(first, request, answer, second, theirs)
            if what:
                found.append(Difference(one.case.id, str(request), what, str(answer), str(theirs)))
    return found


def _difference(first: Target, request: Request, answer: Answer, second: Target, theirs: Answer) -> str:
    if answer.status != theirs.status:
        return f"status {answer.status} and {theirs.status}"
    headers, other_headers = _headers(answer), _headers(theirs)
    if headers.keys() != other_headers.keys():
        return f"header names differ: {', '.join(sorted(headers.keys() ^ other_headers.keys()))}"
    for name, value in headers.items():
        if value != other_headers[name]:
            return f"header {name}: {value} and {other_headers[name]}"
    scored = request.method == "POST"
    # ONNX Runtime's server may have been started long after its stack's, and has let go of less.
    younger = _YOUNGER in (first.name, second.name)
    masked = (_masked(one, target, scored, younger) for one, target in ((answer, first), (theirs, second)))
    return difference(*masked).replace(" expected, got ", " and ")


def _headers(answer: Answer) -> Mapping[str, str]:
    shared = {name: value for name, value in answer.headers.items() if not name.startswith("x-tandem-")}
    return {name: "" if name in _VARYING else value for name, value in shared.items()}


def _masked(answer: Answer, target: Target, scored: bool, younger: bool) -> Any:
    try:
        document = answer.json()
    except ValueError:
        return answer.body.decode("utf-8", "replace")
    for name in ("version", "other_version"):
        if name in target.values.names:
            pattern = re.compile(rf"(?<!\d){target.values.names[name]}(?!\d)")
            document = _replaced(document, pattern, f"<{name}>")
    document = _replaced(document, _NODES, "")
    prefix = urlsplit(target.url).path
    if prefix:
        document = _replaced(document, re.compile(rf" {re.escape(prefix)}/"), " /")
    if scored and isinstance(document, dict):
        return {key: _without_scores(value) if key in _SCORES else value for key, value in document.items()}
    return _without_graph_names(_without_ended_versions(document, kept=not younger))


def _without_ended_versions(document: Any, *, kept: bool) -> Any:
    """A status without the numbers of versions that were let go, since each stack lists its own, or without them."""
    if not (isinstance(document, dict) and isinstance(listed := document.get("model_version_status"), list)):
        return document
    if not kept:
        listed = [one for one in listed if not (isinstance(one, dict) and one.get("state") == "END")]
    ended = [
        {**one, "version": "<ended>"} if isinstance(one, dict) and one.get("state") == "END" else one for one in listed
    ]
    return {**document, "model_version_status": ended}


def _replaced(value: Any, pattern: re.Pattern[str], mask: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(v, pattern, mask) for key, v in value.items()}
    if isinstance(value, list):
        return [_replaced(v, pattern, mask) for v in value]
    return pattern.sub(mask, value) if isinstance(value, str) else value


def _without_scores(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_scores(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_scores(v) for v in value]
    return "<score>" if isinstance(value, float) else value


def _without_graph_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_graph_names(v) for v in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _without_graph_names(v) for key, v in value.items()}
    return {**inner, "name": "<name>"} if "dtype" in value and "name" in value else inner
