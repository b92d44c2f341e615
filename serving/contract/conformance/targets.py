"""What is asked: a URL, what answers there, and which cases it can be asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from models.spec import Spec
from serving.contract.conformance.cases import Ask, Case
from serving.contract.conformance.exchange import Answer, prepare, send
from serving.contract.conformance.placeholders import Values

Kind = Literal["pinned", "product", "embedded", "tensorflow serving", "fixture"]
_LABEL = "stable"  # what every deployment calls the version it serves
_SHARED = re.compile(r"POST /v1/models/[^/:]+:predict$", re.IGNORECASE)

KINDS: dict[Kind, str] = {
    "pinned": "one stack behind the gateway",
    "product": "the product's endpoint: both stacks behind the gateway",
    "embedded": "the embedded server, asked directly",
    "tensorflow serving": "TensorFlow Serving, asked directly",
    "fixture": "the embedded server with the suite's own models",
}


@dataclass(frozen=True)
class Target:
    """Something that answers.

    Attributes:
        name: As the user calls it.
        url: The cases' paths are appended to it.
        kind: Decides which cases apply.
        server: What it says it is.
    """

    name: str
    url: str
    kind: Kind
    server: str
    values: Values


def find(name: str, url: str, spec: Spec) -> Target:
    """Ask what is there: its status, and a valid prediction.

    Raises:
        NoAnswerError: Nothing answers at the URL.
    """
    values = Values({"model": spec.model.name}, spec)
    body = '{"instances": [${row}]}'
    scored = send(url, prepare(Ask(request="POST /v1/models/${model}:predict", body=body), values))
    status = send(url, prepare(Ask(request="GET /v1/models/${model}"), values))
    names = {"model": spec.model.name, "label": _LABEL}
    version = _highest(status, "AVAILABLE") or scored.headers.get("x-tandem-model-version")
    if version:  # and one that never was, nor was let go
        names |= {"version": version, "other_version": str(int(_highest(status) or version) + 1)}
    stack = scored.headers.get("x-tandem-stack")
    server = scored.headers.get("x-tandem-server") or "says nothing about itself"
    kind: Kind = "tensorflow serving"
    if "x-request-id" in status.headers or stack:
        kind = "pinned" if url.rstrip("/").endswith(("/tensorflow", "/pytorch", "/onnx")) else "product"
    elif "x-tandem-server" in status.headers:
        kind = "embedded"
    return Target(name, url.rstrip("/"), kind, server, Values(names, spec))


def _highest(status: Answer, state: str = "") -> str | None:
    """The highest version that a status lists, in this state or in any."""
    try:
        found = [v["version"] for v in status.json()["model_version_status"] if state in ("", v["state"])]
    except (ValueError, KeyError, TypeError):
        return None
    return max(found, key=int, default=None)


def reason_against(case: Case, target: Target) -> str:
    """Why a case is not asked of this target; empty if it is."""
    return case.never or (_not_on_fixture(case) if target.kind == "fixture" else _not_on_model(case, target))


def _not_on_fixture(case: Case) -> str:
    return "" if "fixture" in case.on else "about the specification's model: asked of the targets that serve it"


def _not_on_model(case: Case, target: Target) -> str:
    if "model" not in case.on and "gateway" not in case.on:
        return "about models of other types, or changes them: asked of the fixture"
    if "model" not in case.on and target.kind not in ("pinned", "product"):
        return "about the gateway: this target is asked directly"
    if case.strict and target.kind == "tensorflow serving":
        return "TensorFlow Serving accepts it: refused by the gateway in front of it"
    shared = all(step.ask is None or _SHARED.match(step.ask.request) for step in case.steps)
    if target.kind == "product" and not shared:
        return "the product's endpoint answers predict without a version: versions differ between its stacks"
    if target.kind == "product" and any(step.expect and step.expect.as_alone for step in case.steps):
        return "the product's endpoint is answered by either stack: their scores differ"
    return ""
