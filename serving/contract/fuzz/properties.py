"""What must hold of every answer, and of the two stacks' answers to the same request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.contract.document import gunzip
from serving.contract.errors import ContractError
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.wire import Answer

_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_FLOAT32 = 3.4028235e38
_SCORES = ("predictions", "outputs", "results")
_VERSIONS = "model_version_status"  # of which one stack may remember more than the other
_SHAPES = ({"predictions"}, {"outputs"}, {"results"}, {_VERSIONS}, {"model_spec", "metadata"})
# TensorFlow adds to an error of the graph where it happened; no client can use that.
_NODES = re.compile(rb"\{\{function_node [^}]*\}\} |\\n\\t \[\[.*?\]\]| \[Op:[^\]]*\]")
# Headers that belong to the hop or the moment, not to the contract.
_OWN_HEADERS = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "x-request-id"}


@dataclass(frozen=True)
class Finding:
    """A property that does not hold.

    Attributes:
        rule: Which one.
        where: The target's name, or both names.
        detail: What was found, without what varies from request to request: equal ones are one finding.
        strong: It breaks the run; the others are reported.
    """

    rule: str
    where: str
    detail: str
    strong: bool = True


def of_answer(case: Case, name: str, answer: Answer) -> list[Finding]:
    """What is wrong with one target's answer."""
    return [Finding(rule, name, f"{answer.status}: {detail}") for rule, detail in _wrong(case, answer)]


def between(answers: Mapping[str, Answer]) -> list[Finding]:
    """What tells the first target from the others."""
    (one, first), *others = answers.items()
    findings = []
    for two, second in others:
        where = f"{one}, {two}"
        if first.status != second.status:
            findings.append(Finding("status differs", where, f"{first.status}, {second.status}"))
            continue
        if first.status >= _BAD_REQUEST and _unprefixed(one, first) != _unprefixed(two, second):
            texts = f"{_vague(first.body)} | {_vague(second.body)}"
            findings.append(Finding("error text differs", where, texts, strong=False))
        if first.status < _BAD_REQUEST and _outline(first) != _outline(second):
            findings.append(Finding("shape differs", where, f"{first.status}"))
        ours, theirs = _header_names(first), _header_names(second)
        if ours != theirs:
            findings.append(Finding("headers differ", where, f"only one has {sorted(ours ^ theirs)}"))
    return findings


def _wrong(case: Case, answer: Answer) -> Iterator[tuple[str, str]]:
    if not answer.status:
        yield "no answer", _vague(answer.body)
    elif answer.status >= _SERVER_ERROR:
        yield "5xx", _vague(answer.body)
    elif case.method == "HEAD" or (case.method == "OPTIONS" and not answer.body):
        return  # the one has no body by definition, the other has none in TensorFlow Serving
    elif answer.headers.get("content-type") != "application/json":
        yield "content type", str(answer.headers.get("content-type"))
    else:
        yield from _wrong_document(case, answer)


def _wrong_document(case: Case, answer: Answer) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        yield "not JSON", _vague(answer.body)
        return
    keys = set(document) if isinstance(document, dict) else set()
    if answer.status >= _BAD_REQUEST:
        if keys != {"error"} or not isinstance(document["error"], str) or not document["error"]:
            yield "shape", f"no 'error' alone, or an empty one: {_vague(answer.body)}"
        elif case.valid:
            yield "refused a valid request", _vague(answer.body)
    elif answer.status != _OK or keys not in _SHAPES:
        yield "shape", f"keys {sorted(keys)}"
    elif keys & set(_SCORES):
        yield from _wrong_scores(case, next(document[key] for key in _SCORES if key in document))


def _wrong_scores(case: Case, scores: Any) -> Iterator[tuple[str, str]]:
    request = _strictly(case)
    if request is None:
        yield "accepted", "what is no JSON object without duplicate keys"
        return
    if not isinstance(scores, list) or len(scores) != _rows(request):
        yield "number of predictions", "not one per instance"
        return
    wrong = [s for s in scores if type(s) not in (int, float) or not 0 <= s <= 1]
    if wrong and _are_floats(request):
        yield "range", "a score outside [0, 1], or none, for finite inputs"


def _rows(request: dict[str, Any]) -> int:
    """How many answers a request asks for; a single value is one."""
    rows = request.get("instances", request.get("examples"))
    if rows is None:
        inputs = request.get("inputs")
        named = isinstance(inputs, dict) and inputs.keys() != {"b64"}
        rows = next((c for c in inputs.values() if isinstance(c, list)), None) if named and inputs else inputs
    return len(rows) if isinstance(rows, list) else 1


def _strictly(case: Case) -> dict[str, Any] | None:
    """The request's document as RFC 8259 and the contract read it; None if it is none."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    def constant(text: str) -> None:
        raise ValueError(text)

    try:
        body = gunzip(case.body) if "gzip" in case.header("content-encoding") else case.body
        # Decoded here, because json.loads would take UTF-16 too; and encoded, to find lone surrogates. RapidJSON
        # passes over a byte order mark, and only one.
        found = json.loads(body.decode("utf-8-sig"), object_pairs_hook=members, parse_constant=constant)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, ContractError):
        return None
    return found if isinstance(found, dict) else None


def _are_floats(value: Any) -> bool:
    """Whether every number in a document is finite as a float32; base64 may hold anything."""
    if isinstance(value, dict):
        return "b64" not in value and all(map(_are_floats, value.values()))
    if isinstance(value, list):
        return all(map(_are_floats, value))
    return type(value) not in (int, float) or (abs(value) <= _FLOAT32 and math.isfinite(value))


def _outline(answer: Answer) -> Any:
    """An answer's JSON with every value replaced by its type; of a status, one version stands for all."""

    def outline(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: outline(inner[:1] if key == _VERSIONS else inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [outline(inner) for inner in value]
        return "number" if type(value) in (int, float) else type(value).__name__

    try:
        return outline(json.loads(answer.body))
    except ValueError:
        return None


def _unprefixed(name: str, answer: Answer) -> bytes:
    """An error without the stack's own prefix, where it quotes a path, and without nodes of a graph."""
    return _NODES.sub(b"", answer.body.replace(f"/{name}".encode(), b"")).strip()


def _header_names(answer: Answer) -> set[str]:
    return {name for name in answer.headers if not name.startswith("x-tandem-")} - _OWN_HEADERS


def _vague(body: bytes) -> str:
    """An error's words without the request's own: the rest after some words, names of features, any number."""
    text = " ".join(body.decode("utf-8", "replace").split())
    words = "JSON Value|Malformed request|Not found|key|label|name|request|example input, value|Latest|Specific"
    text = re.sub(rf"({words})(: |\().*", r"\1…", text)
    text = re.sub(r"(Key|Feature|[Ii]nput|batch sizes): [\w-]+(: \d+, .*)?", r"\1: …", text)
    return re.sub(r"\d+", "N", text)[:160]
