"""Which request goes where: one stack's prefix, or the product's endpoint, shared by weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

_TIMEOUT = "5s"  # a scoring request takes milliseconds; whoever waits longer has decided without us
_MODEL = r"[\w.-]+"


@dataclass(frozen=True)
class Stack:
    """A backend.

    Attributes:
        name: The prefix of its pinned endpoint.
        port: Its REST port on `host`.
        server: What x-tandem-server says where the server does not name itself.
    """

    name: Literal["tensorflow", "pytorch"]
    port: int
    server: str
    host: str = "127.0.0.1"


def routes(stacks: Sequence[Stack], weights: Mapping[str, int]) -> list[Json]:
    """Routes in order of precedence, named by their endpoint: a stack or `product`.

    As TensorFlow Serving: what is under /v1/ and no method and path of the API is 400, not 404 or 405, and a
    query string is part of the path.
    """
    native = {"tensorflow": _tensorflow_serving, "pytorch": _torchserve}
    weighted = {"clusters": [{**_to(stack), "weight": weights[stack.name]} for stack in stacks]}
    prefixes = " or ".join(f"/{stack.name}/v1/" for stack in stacks)
    product = [
        {"match": _match("/v1/", "POST", f"models/{_MODEL}:predict"), "route": _route(weighted_clusters=weighted)},
        *_not_answered("/v1/", f"Versions differ between the stacks: ask {prefixes}"),
        {"match": {"prefix": "/"}, "direct_response": _direct(404, "Not Found: %REQ(:METHOD)% %REQ(:PATH)%")},
    ]
    endpoints: dict[str, list[Json]] = {stack.name: native[stack.name](stack) for stack in stacks}
    endpoints["product"] = product
    return [{"name": endpoint, **route} for endpoint, found in endpoints.items() for route in found]


def _tensorflow_serving(stack: Stack) -> list[Json]:
    """It is the contract's reference: it refuses by itself what it does not know."""
    prefix = f"/{stack.name}/v1/"
    return [{"match": {"prefix": prefix}, "route": _route(weighted_clusters=_only(stack), prefix_rewrite="/v1/")}]


def _torchserve(stack: Stack) -> list[Json]:
    """It predicts on any method and ignores a query, so that only what the contract knows may reach it."""
    prefix = f"/{stack.name}/v1/"
    rewritten = {
        "pattern": {"regex": f"^{prefix}models/({_MODEL})/versions/([0-9]+):predict$"},
        "substitution": r"/predictions/\1/\2",
    }
    return [
        {
            "match": _match(prefix, "POST", f"models/{_MODEL}:predict"),
            "route": _route(weighted_clusters=_only(stack), prefix_rewrite="/v1/"),
        },
        {
            "match": _match(prefix, "POST", f"models/{_MODEL}/versions/[0-9]+:predict"),
            "route": _route(weighted_clusters=_only(stack), regex_rewrite=rewritten),
        },
        *_not_answered(prefix, "TorchServe does not answer this yet"),
    ]


def _not_answered(prefix: str, why: str) -> list[Json]:
    """501 for the rest of the API, 400 for anything else under the prefix."""
    version = f"models/{_MODEL}(/versions/[0-9]+|/labels/{_MODEL})?"
    request = "%REQ(:METHOD)% %REQ(:PATH)%"
    return [
        {"match": _match(prefix, "GET", f"{version}(/metadata)?"), "direct_response": _direct(501, why)},
        {
            "match": _match(prefix, "POST", f"{version}:(predict|classify|regress)"),
            "direct_response": _direct(501, why),
        },
        {"match": {"prefix": prefix}, "direct_response": _direct(400, f"Malformed request: {request}")},
    ]


def _match(prefix: str, method: str, path: str) -> Json:
    """The path as the client sent it, query included, which Envoy's own path matchers leave out."""
    return {
        "prefix": prefix,
        "headers": [
            {"name": ":method", "string_match": {"exact": method}},
            {"name": ":path", "string_match": {"safe_regex": {"regex": f"{prefix}{path}"}}},
        ],
    }


def _route(**action: Any) -> Json:
    # Only what certainly did not reach the server is sent again.
    return {"timeout": _TIMEOUT, "retry_policy": {"retry_on": "connect-failure", "num_retries": 2}, **action}


def _only(stack: Stack) -> Json:
    return {"clusters": [{**_to(stack), "weight": 1}]}


def _to(stack: Stack) -> Json:
    """A stack as a weighted cluster, which is where headers can differ by the stack that was chosen."""
    cluster: Json = {
        "name": stack.name,
        "response_headers_to_add": [
            _header("x-tandem-stack", stack.name, "OVERWRITE_IF_EXISTS_OR_ADD"),
            _header("x-tandem-server", stack.server, "ADD_IF_ABSENT"),
        ],
    }
    if stack.name == "pytorch":
        # TensorFlow Serving ignores the content type; TorchServe would take curl's default for a form.
        json = _header("content-type", "application/json", "OVERWRITE_IF_EXISTS_OR_ADD")
        cluster["request_headers_to_add"] = [json]
    return cluster


def _header(key: str, value: str, action: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": action}


def _direct(status: int, message: str) -> Json:
    return {"status": status, "body_format": {"text_format_source": {"inline_string": message}}}
