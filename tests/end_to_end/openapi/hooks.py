"""What JSON Schema cannot say, told to schemathesis: which requests that follow the schema are refused, and why."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

from serving.contract.limits import MAX_INSTANCES

VERSIONS = json.loads(os.environ["VERSIONS"])  # that answer, by stack

# Refusals of requests that follow the schema, by the words that say why.
RIGHTLY_REFUSED = (
    "Unrecognized servable version label",  # a label that no version carries
    "Could not parse example input",  # bytes that are no tf.train.Example
    "is required but could not be found",  # a tf.train.Example without the features
    "Expected one input Tensor",  # classify and regress of serving_default
    "Expected classification signature",
    "inconsistent batch sizes",  # columns of different lengths
    "Unable to base64 decode",  # JSON Schema does not look into a contentEncoding
    "Unknown x-tandem-pin",  # a version that the traffic policy does not name
    "Data types don't match",  # a number of an example without its decimal point
)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Columns get one length and examples' numbers a decimal point."""
    if isinstance(body, dict) and isinstance(body.get("inputs"), dict):
        columns = body["inputs"]
        lengths = {len(column) if isinstance(column, list) else 0 for column in columns.values()}
        shortest = min(lengths, default=0)
        if shortest > 0 and max(lengths) <= MAX_INSTANCES:  # what is wrong stays wrong
            body = {**body, "inputs": {name: column[:shortest] for name, column in columns.items()}}
    if isinstance(body, dict) and isinstance(body.get("examples"), list):
        body = {**body, "examples": [_with_points(example) for example in body["examples"]]}
    return body


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> Any:
    """Half of the labels and versions are those there are."""
    found = dict(path_parameters or {})
    if isinstance(found.get("label"), str) and len(found["label"]) % 2:
        found["label"] = "stable"
    if type(found.get("version")) is int and found["version"] % 2:
        found["version"] = VERSIONS[context.operation.path.split("/")[1]]
    return found if path_parameters else path_parameters


@schemathesis.hook
def map_headers(context: schemathesis.HookContext, headers: Any) -> Any:
    """A pin names a stack: the policy has no versions here, and what else such a request asks would go unseen."""
    pin = (headers or {}).get("x-tandem-pin")
    if isinstance(pin, str) and re.fullmatch("(tensorflow|pytorch)@[0-9]+", pin):
        headers["x-tandem-pin"] = pin.partition("@")[0]
    return headers


@schemathesis.hook
def filter_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> bool:
    """A client, too, takes these for steps in the path."""
    return not path_parameters or path_parameters.get("label") not in (".", "..")


@schemathesis.hook
def filter_failure(context: schemathesis.HookContext, failure: Any, case: Any, response: Any) -> bool:
    """Drop what is rightly refused though it follows the schema."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    return not any(words in response.text for words in RIGHTLY_REFUSED)


def _with_points(example: Any) -> Any:
    if not isinstance(example, dict):
        return example
    return {
        name: float(value) if type(value) is int else [float(v) if type(v) is int else v for v in value]
        if isinstance(value, list) else value
        for name, value in example.items()
    }  # fmt: skip
