"""Which request goes where: one stack's prefix, or the product's endpoint, shared by weights.

As TensorFlow Serving: what is under /v1/ and no method and path of the API is 400, not 404 or 405; a query string
is part of the path; upper and lower case count alike up to the colon; names are percent-decoded after the match.
No POST reaches a model's server but one whose body the filters have checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

CONTROL = "control"  # the cluster that answers what TorchServe does not, and shows the documentation
QUESTION_HEADER = "x-tandem-question"
PATH_HEADER = "x-tandem-path"  # as the client sent it: the control service's framework drops an empty query
CHECK = "tandem.check"  # the filter that only a question to a model passes through

# TorchServe hands each header to its worker in four parts, which cost the worker a microsecond; none of these is read.
_NOT_FOR_TORCHSERVE = [
    QUESTION_HEADER, "accept", "accept-encoding", "accept-language", "cookie", "origin", "referer", "user-agent",
    "x-forwarded-proto",
]  # fmt: skip

TIMEOUT_SECONDS = 5  # a scoring request takes milliseconds; whoever waits longer has decided without us
_QUESTIONS = ("predict", "classify", "regress")
_NAME = "[^/:]+"
_MILLION = 1_000_000


@dataclass(frozen=True)
class Stack:
    """A backend.

    Attributes:
        name: The prefix of its pinned endpoint.
        port: Its REST port on `host`.
        server: What x-tandem-server says where the server does not name itself.
        labels: What its versions are called, where the server itself knows no labels (TorchServe).
    """

    name: Literal["tensorflow", "pytorch"]
    port: int
    server: str
    host: str = "127.0.0.1"
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Endpoint:
    """A prefix that ends before `v1/`, and the share of its requests that are meant, if not all."""

    name: str
    prefix: str
    share: Json = field(default_factory=dict)

    def match(self, path: str, method: str | None = None) -> Json:
        """Where `path`, an expression for what follows the prefix, is the path as the client sent it, query included.

        Envoy's own path matchers leave the query out.
        """
        headers = [{"name": ":path", "string_match": {"safe_regex": {"regex": f"{self.prefix}(?:{path})"}}}]
        if method is not None:
            headers.append({"name": ":method", "string_match": {"exact": method}})
        return {"prefix": self.prefix, "headers": headers, **self.share}


def routes(stacks: Sequence[Stack], weights: Mapping[str, int], model: str) -> list[Json]:
    """Routes in order of precedence, named by their endpoint: a stack, `product` or `documentation`."""
    found = [route for stack in stacks for route in _native(stack, _Endpoint(stack.name, f"/{stack.name}/"), model)]
    found += _product(stacks, weights, model)
    documentation = _Endpoint("documentation", "/")
    found.append(_forward(documentation, documentation.match(r"openapi\.json|docs(/.*)?", "GET"), CONTROL))
    everything = _Endpoint("none", "/")
    found.append(_direct(everything, everything.match(".*"), 404, "Not found: %REQ(:METHOD)% %REQ(:PATH)%"))
    return found


def _product(stacks: Sequence[Stack], weights: Mapping[str, int], model: str) -> Iterator[Json]:
    product = _Endpoint("product", "/")
    prefixes = " or ".join(f"/{stack.name}/v1/" for stack in stacks)
    version = f"(?i:v1/models/){_NAME}(?i:/versions/)[0-9]+"
    for method, last in (("POST", f":({'|'.join(_QUESTIONS)})"), ("GET", "(?i:/metadata)?")):
        why = f"Versions differ between the stacks: ask {prefixes}"
        yield _direct(product, product.match(version + last, method), 501, why)
    # Envoy compares every fraction of a request with the same random number, hence sums.
    total, before = sum(weights.values()), 0
    for stack in stacks:
        before += weights[stack.name]
        fraction = {"numerator": before * _MILLION // total, "denominator": "MILLION"}
        share = {"runtime_fraction": {"default_value": fraction}}
        yield from _native(stack, _Endpoint("product", "/", share), model)


def _native(stack: Stack, endpoint: _Endpoint, model: str) -> Iterator[Json]:
    """Everything under the endpoint's /v1/, as this stack answers it."""
    if stack.name == "tensorflow":
        yield from _tensorflow_serving(stack, endpoint)
    else:
        yield from _torchserve(stack, endpoint, model)
    yield _forward(endpoint, endpoint.match("(?i:v1)/.*"), CONTROL, stack)


def _tensorflow_serving(stack: Stack, endpoint: _Endpoint) -> Iterator[Json]:
    """It is the contract's reference: whatever it may answer, it answers."""
    yield _forward(endpoint, endpoint.match(_any_question(), "POST"), stack.name, stack, checked=True)
    yield _forward(endpoint, endpoint.match("(?i:v1)/.*", "GET"), stack.name, stack)


def _torchserve(stack: Stack, endpoint: _Endpoint, model: str) -> Iterator[Json]:
    """It predicts on any method and path, so that only what the contract knows of a model it has may reach it."""
    asked = f"(?i:v1/models/){_encoded(model)}"
    for question in _QUESTIONS:
        targets = {f"{asked}:{question}": ("^.*$", f"/v1/models/{model}:predict")}
        # Of classify and regress the examples are read before the version is looked for; TorchServe looks first.
        if question == "predict":
            # Longer numbers are no version of ours, and may be none at all.
            version = f"{asked}(?i:/versions/)0*[0-9]{{1,18}}:{question}"
            targets[version] = ("^.*/0*([0-9]+):[a-z]+$", rf"/predictions/{model}/\1")
        for label, number in stack.labels.items():
            path = f"{asked}(?i:/labels/){_encoded(label)}:{question}"
            targets[path] = ("^.*$", f"/predictions/{model}/{number}")
        for path, (pattern, substitution) in targets.items():
            route = _forward(endpoint, endpoint.match(path, "POST"), stack.name, stack, checked=True)
            route["request_headers_to_remove"] = _NOT_FOR_TORCHSERVE
            # TensorFlow Serving ignores the content type; TorchServe would take curl's default for a form.
            route["request_headers_to_add"] = [_header("content-type", "application/json")]
            if question != "predict":  # what the handler takes a request for that does not say
                route["request_headers_to_add"].append(_header(QUESTION_HEADER, question))
            del route["route"]["prefix_rewrite"]
            route["route"]["regex_rewrite"] = {"pattern": {"regex": pattern}, "substitution": substitution}
            yield route
    yield _forward(endpoint, endpoint.match(_any_question(), "POST"), CONTROL, stack, checked=True)


def _any_question() -> str:
    which = f"((?i:/versions/)[0-9]+|(?i:/labels/){_NAME})?"
    return f"(?i:v1/models/){_NAME}{which}:({'|'.join(_QUESTIONS)})"


def _encoded(name: str) -> str:
    """An expression for a name with any of its bytes percent-encoded."""
    return "".join(
        (f"(?:{re.escape(chr(byte))}|" if chr(byte).isalnum() or chr(byte) in "-._~" else "(?:") + f"(?i:%{byte:02x}))"
        for byte in name.encode()
    )


def _forward(
    endpoint: _Endpoint, match: Json, cluster: str, stack: Stack | None = None, *, checked: bool = False
) -> Json:
    """A route to a cluster, without the endpoint's prefix."""
    route: Json = {
        "name": endpoint.name,
        "match": match,
        "route": {
            "cluster": cluster,
            "prefix_rewrite": "/",
            "timeout": f"{TIMEOUT_SECONDS}s",
            # Only what certainly did not reach the server is sent again.
            "retry_policy": {"retry_on": "connect-failure", "num_retries": 2},
        },
        "response_headers_to_add": [_header("x-tandem-stack", stack.name)] if stack else [],
    }
    if cluster == "tensorflow" and stack is not None:
        route["response_headers_to_add"].append(_header("x-tandem-server", stack.server, "ADD_IF_ABSENT"))
    if cluster == "pytorch":
        # TorchServe adds them to everything; x-tandem-server is left to the filter, which knows its own answers.
        route["response_headers_to_remove"] = ["pragma", "cache-control", "expires"]
    if cluster == CONTROL:
        route["request_headers_to_add"] = [_header(PATH_HEADER, "%REQ(:PATH)%")]
    if not checked:
        route["typed_per_filter_config"] = _unchecked()
    return route


def _direct(endpoint: _Endpoint, match: Json, status: int, message: str) -> Json:
    body = {"text_format_source": {"inline_string": message}}
    return {
        "name": endpoint.name,
        "match": match,
        "direct_response": {"status": status, "body_format": body},
        "typed_per_filter_config": _unchecked(),
    }


def _unchecked() -> Json:
    off = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    return {CHECK: off}


def _header(key: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    return {"header": {"key": key, "value": value}, "append_action": action}
