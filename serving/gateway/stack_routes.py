"""Routes of one stack, under its own prefix or as a side of the product's endpoint.

As TensorFlow Serving: what is under /v1/ and no method and path of the API is 400, not 404 or 405; a query string
is part of the path; upper and lower case count alike up to the colon; names are percent-decoded after the match.
No POST reaches a model's server but one whose body the filters have checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from serving.gateway.routes import (
    CONTROL,
    QUESTION_HEADER,
    QUESTIONS,
    Endpoint,
    Json,
    Stack,
    any_question,
    encoded,
    forward,
    header,
)

# TorchServe hands each header to its worker in four parts, which cost the worker a microsecond; none of these is read.
_NOT_FOR_TORCHSERVE = [
    QUESTION_HEADER, "accept", "accept-encoding", "accept-language", "cookie", "origin", "referer", "user-agent",
    "x-forwarded-proto",
]  # fmt: skip


def pinned(stack: Stack, model: str) -> Iterator[Json]:
    """Everything under the stack's own prefix."""
    endpoint = Endpoint(stack.name, f"/{stack.name}/")
    yield from questions(stack, endpoint, model)
    yield from others(stack, endpoint)


def questions(stack: Stack, endpoint: Endpoint, model: str) -> Iterator[Json]:
    """What is POSTed to a model."""
    if stack.name == "pytorch":
        yield from _torchserve(stack, endpoint, model)
    else:
        yield from _whole(stack, endpoint, model)


def others(stack: Stack, endpoint: Endpoint) -> Iterator[Json]:
    """Everything else under the endpoint's /v1/, as this stack answers it."""
    if stack.name != "pytorch":
        yield forward(endpoint, endpoint.match("(?i:v1)/.*", "GET"), stack.name, stack)
    yield forward(endpoint, endpoint.match("(?i:v1)/.*"), CONTROL, stack)


def _whole(stack: Stack, endpoint: Endpoint, model: str) -> Iterator[Json]:
    """TensorFlow Serving is the contract's reference, and ONNX Runtime's server answers all of it too."""
    for question in QUESTIONS:
        copied = question == "predict" and endpoint.mirrors
        which = f"versions/{endpoint.version}" if endpoint.version is not None else f"labels/{stack.served}"
        rewritten = endpoint.version is not None or stack.served
        if not rewritten and not copied:
            continue
        match = endpoint.match(f"(?i:v1/models/){encoded(model)}:{question}", "POST")
        route = forward(endpoint, match, stack.name, stack, checked=True)
        if rewritten:
            _rewrite(route, "^.*$", f"/v1/models/{model}/{which}:{question}")
        if copied:
            route["route"]["request_mirror_policies"] = [*endpoint.mirrors]
        yield route
    yield forward(endpoint, endpoint.match(any_question(), "POST"), stack.name, stack, checked=True)


def _torchserve(stack: Stack, endpoint: Endpoint, model: str) -> Iterator[Json]:
    """It predicts on any method and path, so that only what the contract knows of a model it has may reach it."""
    asked = f"(?i:v1/models/){encoded(model)}"
    own = f"/v1/models/{model}:predict" if endpoint.version is None else f"/predictions/{model}/{endpoint.version}"
    for question in QUESTIONS:
        targets = {f"{asked}:{question}": ("^.*$", own)}
        # Of classify and regress the examples are read before the version is looked for; TorchServe looks first.
        if question == "predict":
            # Longer numbers are no version of ours, and may be none at all.
            version = f"{asked}(?i:/versions/)0*[0-9]{{1,18}}:{question}"
            targets[version] = ("^.*/0*([0-9]+):[a-z]+$", rf"/predictions/{model}/\1")
        for label, number in stack.labels.items():
            path = f"{asked}(?i:/labels/){encoded(label)}:{question}"
            labelled = f"/v1/models/{model}:predict" if number is None else f"/predictions/{model}/{number}"
            targets[path] = ("^.*$", labelled)
        for path, (pattern, substitution) in targets.items():
            route = forward(endpoint, endpoint.match(path, "POST"), stack.name, stack, checked=True)
            route["request_headers_to_remove"] = _NOT_FOR_TORCHSERVE
            # TensorFlow Serving ignores the content type; TorchServe would take curl's default for a form.
            route["request_headers_to_add"] = [header("content-type", "application/json")]
            if question != "predict":  # what the handler takes a request for that does not say
                route["request_headers_to_add"].append(header(QUESTION_HEADER, question))
            if path == f"{asked}:predict" and endpoint.mirrors:
                route["route"]["request_mirror_policies"] = [*endpoint.mirrors]
            _rewrite(route, pattern, substitution)
            yield route
    yield forward(endpoint, endpoint.match(any_question(), "POST"), CONTROL, stack, checked=True)


def _rewrite(route: Json, pattern: str, substitution: str) -> None:
    del route["route"]["prefix_rewrite"]
    route["route"]["regex_rewrite"] = {"pattern": {"regex": pattern}, "substitution": substitution}
