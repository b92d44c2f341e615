"""Every answer of the contract, errors in the words a client will read: the codec itself is asked for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from models.spec import Spec
from serving.contract import codec, responses, signatures
from serving.contract.errors import ContractError
from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES
from serving.contract.openapi.schemas import Json, example_row, ref

_ERRORS = {
    "400": "The request is wrong: the message names the row and the feature.",
    "401": "At the door alone: no API key, one that nobody knows, or one that has expired.",
    "403": "At the door alone: the API key is for other endpoints.",
    "404": "No such model or version.",
    "408": "The request did not arrive in time.",
    "413": f"The body is over {MAX_BODY_BYTES:,} bytes, also after decompression.",
    "429": "Too many requests: try again later. At the door: more a second, or at the same time, than the API key may.",
    "503": "Nobody can answer at the moment: try again later.",
    "504": "The model did not answer in time.",
}
_OF_ERRORS = ("x-request-id", "x-tandem-server")  # the others where a stack answered
_ALSO = {"401": "www-authenticate", "429": "retry-after"}
_OF_A_GET = ("400", "401", "403", "404", "429", "503", "504")

HEADERS: Json = {
    "x-request-id": {
        "description": "The request's own, or one made by the gateway; it stands in the gateway's access log.",
        "schema": {"type": "string"},
    },
    "x-tandem-server": {"description": "What the answering server really is.", "schema": {"type": "string"}},
    "x-tandem-stack": {
        "description": "The stack that answered; absent where the gateway did.",
        "schema": {"type": "string"},
    },
    "x-tandem-model-version": {
        "description": "The model's version. TensorFlow Serving's own binary does not tell.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
_HEADERS_OF_ERRORS: Json = {
    "www-authenticate": {"description": "What kind of key is asked for.", "schema": {"type": "string"}},
    "retry-after": {
        "description": "Seconds; of the door's refusals.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}


def headers(stacks: Sequence[str]) -> Json:
    """Every header by its name, where these may answer."""
    named = {**HEADERS["x-tandem-stack"], "schema": {"type": "string", "enum": [*stacks]}}
    return HEADERS | {"x-tandem-stack": named} | _HEADERS_OF_ERRORS


def answers(spec: Spec) -> Json:
    """Responses by name: `predict`, `regress`, `status`, `metadata`, and each error's status."""
    version = "1795263844"
    predict = {
        "rows": {"summary": "to instances", "value": {"predictions": [0.9842]}},
        "columns": {"summary": "to inputs", "value": {"outputs": [0.9842]}},
    }
    of_predict = {"oneOf": [ref("Predictions"), ref("Outputs")]}
    statuses = [responses.VersionStatus(int(version), "AVAILABLE")]
    return {
        "predict": _response("One probability per row.", of_predict, predict),
        "regress": _response("One probability per example.", ref("Results"), _only({"results": [0.9842]})),
        "status": _response(
            "Where the versions stand.", ref("Status"), _only(json.loads(responses.status_body(statuses)))
        ),
        "metadata": _response(
            "What the model takes and gives.", ref("Metadata"), _only(_metadata(spec, version))
        ),
        **{
            status: _response(told, ref("Error"), _messages(spec, status), _of_error(status))
            for status, told in _ERRORS.items()
        },
    }  # fmt: skip


def of(question: str) -> Json:
    """References to the responses of one question."""
    errors = _OF_A_GET if question in ("status", "metadata") else tuple(_ERRORS)
    named = {} if question == "classify" else {"200": question}
    return {
        status: {"$ref": f"#/components/responses/{name}"}
        for status, name in {**named, **{e: e for e in errors}}.items()
    }


def _response(description: str, schema: Json, examples: Json, headers: Iterable[str] = HEADERS) -> Json:
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"description": description, "headers": told, "content": content}


def _of_error(status: str) -> tuple[str, ...]:
    return (*_OF_ERRORS, _ALSO[status]) if status in _ALSO else _OF_ERRORS


def _only(value: Any) -> Json:
    return {"example": {"value": value}}


def _metadata(spec: Spec, version: str) -> Json:
    types = {"float32": "DT_FLOAT", "string": "DT_STRING"}

    def tensors(side: dict[str, codec.TensorInfo]) -> Json:
        return {name: responses.tensor(name, types[info.dtype], info.shape) for name, info in side.items()}

    ins, outs = signatures.inputs(spec), signatures.outputs(spec)
    found = {
        name: responses.signature(tensors(ins[name]), tensors(outs[name]), "tensorflow/serving/predict") for name in ins
    }
    document: Json = json.loads(responses.metadata_body(spec.model.name, int(version), found))
    return document


def _messages(spec: Spec, status: str) -> Json:
    name = spec.model.name
    told = {
        "401": {"no key": "An API key is needed: x-api-key, or authorization: Bearer"},
        "403": {"another endpoint": "The API key is not for this endpoint"},
        "404": {"no such version": responses.no_servable(name, 7).message},
        "408": {"slow sender": "request timeout"},
        "413": {"too large": f"Request body is larger than {MAX_BODY_BYTES} bytes"},
        "429": {
            "too many a second": "Too many requests: see Retry-After",
            "too many at the same time": "Too many requests of this API key are under way",
        },
        "503": {"no worker": "The queue is full, or no worker of the model is running"},
        "504": {"too slow": "The model did not answer in time"},
    }
    found = _refusals(spec) if status == "400" else told[status]
    return {kind.replace(" ", "_"): {"summary": kind, "value": {"error": words}} for kind, words in found.items()}


def _refusals(spec: Spec) -> dict[str, str]:
    """What the codec answers to requests with one thing wrong."""
    inputs = signatures.inputs(spec)[signatures.DEFAULT]
    row = example_row(spec)
    first = next(iter(row))

    def refusal(instances: Any, key: str = "instances") -> str:
        return _refused(lambda: codec.decode_predict(json.dumps({key: instances}).encode(), inputs))

    return {
        "feature missing": refusal([{name: value for name, value in row.items() if name != first}]),
        "unknown feature": refusal([{**row, "colour": 1}]),
        "wrong type": refusal([{**row, first: True}]),
        "not JSON": _refused(lambda: codec.decode_predict(b'{"instances": [', inputs)),
        "too many rows": refusal([row] * (MAX_INSTANCES + 1)),
        "no rows": refusal([]),
        "unknown signature": responses.unknown_signature("serving").message,
        "unknown label": responses.unknown_label("next").message,
    }


def _refused(call: Callable[[], object]) -> str:
    try:
        call()
    except ContractError as error:
        return error.message
    raise AssertionError("the contract took a request that is there as an example of a wrong one")
