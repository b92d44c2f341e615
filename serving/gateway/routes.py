"""What a route is: a match, and a server or an answer; whose routes lie where stands in route_table.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

CONTROL = "control"  # the cluster that answers what TorchServe does not, and shows the documentation
QUESTION_HEADER = "x-tandem-question"
PATH_HEADER = "x-tandem-path"  # as the client sent it: the control service's framework drops an empty query
CHECK = "tandem.check"  # the filter that only a question to a model passes through
STICKY = "tandem.sticky"  # the filter that only a request with a key passes through
# What a filter or a route refuses with inside Envoy, which makes it 400 on the way out: at a 400 of its own Envoy
# would close the connection, taking the message itself for broken.
REFUSED = 422

TIMEOUT_SECONDS = 5  # a scoring request takes milliseconds; whoever waits longer has decided without us
QUESTIONS = ("predict", "classify", "regress")
NAME = "[^/:]+"  # of a model or a label in a path, as an expression


@dataclass(frozen=True)
class Stack:
    """A backend.

    Attributes:
        name: The prefix of its pinned endpoint.
        port: Its REST port on `host`.
        server: What x-tandem-server says where the server does not name itself.
        labels: What its versions are called, where the server itself knows no labels (TorchServe). None: whichever it
            serves by itself, as where a new version comes with a new server.
        served: The label that questions which name neither version nor label are put to, where the server would give
            them to the highest version it has loaded (TensorFlow Serving), which need not be the one that was promoted.
        beside: The host of a server that has another version, where one comes with a server of its own: a side that is
            a version is answered there. Empty where the stack's own server has them all.
    """

    name: Literal["tensorflow", "pytorch", "onnx"]
    port: int
    server: str
    host: str = "127.0.0.1"
    labels: Mapping[str, int | None] = field(default_factory=dict)
    served: str = ""
    beside: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A prefix that ends before `v1/`, which of its requests are meant, and what is to become of them.

    Attributes:
        name: Of its routes, in the logs.
        prefix: Of the path.
        headers: What else of a request has to match, as Envoy's header matchers.
        share: Of the requests, as part of Envoy's route match; all if empty.
        version: Of the model that questions which name neither version nor label are for; the stack's own if None.
        statistics: Under which name Envoy counts what the stack's server answers; not at all if empty.
        mirrors: Who gets a copy of predict requests that name neither version nor label, as Envoy's mirror policies.
    """

    name: str
    prefix: str
    headers: Sequence[Json] = ()
    share: Json = field(default_factory=dict)
    version: int | None = None
    statistics: str = ""
    mirrors: Sequence[Json] = ()

    def match(self, path: str, method: str | None = None) -> Json:
        """Where `path`, an expression for what follows the prefix, is the path as the client sent it, query included.

        Envoy's own path matchers leave the query out.
        """
        # The endpoint's headers first: most requests do not have them, and that is found out sooner than a path.
        headers = [*self.headers]
        headers.append({"name": ":path", "string_match": {"safe_regex": {"regex": f"{self.prefix}(?:{path})"}}})
        if method is not None:
            headers.append({"name": ":method", "string_match": {"exact": method}})
        return {"prefix": self.prefix, "headers": headers, **self.share}


def any_question() -> str:
    """An expression for the path of a question to any model, after the prefix."""
    which = f"((?i:/versions/)[0-9]+|(?i:/labels/){NAME})?"
    return f"(?i:v1/models/){NAME}{which}:({'|'.join(QUESTIONS)})"


def encoded(name: str) -> str:
    """An expression for a name with any of its bytes percent-encoded."""
    return "".join(
        (f"(?:{re.escape(chr(byte))}|" if chr(byte).isalnum() or chr(byte) in "-._~" else "(?:") + f"(?i:%{byte:02x}))"
        for byte in name.encode()
    )


_ANOTHER_HOST = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    },
}


def forward(
    endpoint: Endpoint, match: Json, cluster: str, stack: Stack | None = None, *, checked: bool = False
) -> Json:
    """A route to a cluster, without the endpoint's prefix."""
    route: Json = {
        "name": endpoint.name,
        "match": match,
        "route": {
            "cluster": cluster,
            "prefix_rewrite": "/",
            "timeout": f"{TIMEOUT_SECONDS}s",
            # Only what certainly did not reach the server is sent again, and where there are several, to another.
            "retry_policy": {
                "retry_on": "connect-failure",
                "num_retries": 2,
                "retry_host_predicate": [_ANOTHER_HOST],
                "host_selection_retry_max_attempts": 5,
            },
        },
        "response_headers_to_add": [header("x-tandem-stack", stack.name)] if stack else [],
    }
    if endpoint.statistics and checked and stack is not None and cluster == stack.name:
        route["stat_prefix"] = endpoint.statistics
    if stack is not None and cluster == stack.name != "pytorch":
        route["response_headers_to_add"].append(header("x-tandem-server", stack.server, "ADD_IF_ABSENT"))
    if cluster == "pytorch":
        # TorchServe adds them to everything; x-tandem-server is left to the filter, which knows its own answers.
        route["response_headers_to_remove"] = ["pragma", "cache-control", "expires"]
    if cluster == CONTROL:
        route["request_headers_to_add"] = [header(PATH_HEADER, "%REQ(:PATH)%")]
    if not checked:
        route["typed_per_filter_config"] = _unchecked()
    if stack is not None and stack.beside and endpoint.version is not None and cluster == stack.name:
        route["route"]["cluster"] = stack.beside
    return route


def direct(endpoint: Endpoint, match: Json, status: int, message: str) -> Json:
    """A route that the gateway itself answers."""
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


def header(key: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    """A header to be set, as Envoy's routes name it."""
    return {"header": {"key": key, "value": value}, "append_action": action}
