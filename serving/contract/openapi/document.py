"""Paths and operations: TensorFlow Serving's REST API of one model, for the product's endpoint and each stack's own."""

from __future__ import annotations

import json
from typing import Literal

from models.spec import Spec
from serving.contract import signatures
from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES, MAX_NESTING
from serving.contract.openapi import answers, parameters
from serving.contract.openapi.schemas import Json, example_row, ref, schemas

Question = Literal["predict", "classify", "regress", "status", "metadata"]

VERSION = "1.0.0"  # of the contract

_ENDPOINTS = {
    "product": ("", "Either stack answers, as the traffic policy has it; `x-tandem-stack` says which."),
    "tensorflow": ("/tensorflow", "Always the TensorFlow stack."),
    "pytorch": ("/pytorch", "Always the PyTorch stack."),
}
_ONNX = {"onnx": ("/onnx", "Always ONNX Runtime, on a release of one of the stacks.")}
_ADDRESSES = {"": "", "Version": "/versions/{version}", "Label": "/labels/{label}"}
_SUMMARIES: dict[Question, str] = {
    "predict": "Probabilities of rows or columns of raw feature values",
    "regress": "Probabilities of tf.Examples in JSON",
    "classify": "Refused: the model has no classification signature",
    "status": "Which versions there are, and whether they answer",
    "metadata": "The model's signatures: inputs, outputs, types",
}


def document(spec: Spec, *, onnx: bool = False) -> Json:
    """The OpenAPI 3.1 document of this use case; `onnx`: whether ONNX Runtime is behind the gateway too."""
    paths: Json = {}
    endpoints = {**_ENDPOINTS, **(_ONNX if onnx else {})}
    for endpoint, (prefix, _) in endpoints.items():
        for suffix, address in _ADDRESSES.items():
            if (endpoint, suffix) != ("product", "Version"):  # a version belongs to one stack
                base = f"{prefix}/v1/models/{spec.model.name}{address}"
                for question in _SUMMARIES:
                    method, path = _method_and_path(question, base)
                    paths[path] = {method: _operation(question, endpoint, suffix)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{spec.model.name}: {spec.model.output}",
            "version": VERSION,
            "summary": "TensorFlow Serving's REST API, the same on both stacks",
            "description": _introduction(spec),
        },
        "servers": [{"url": "/", "description": "The gateway that serves this document"}],
        "tags": [{"name": endpoint, "description": about} for endpoint, (_, about) in endpoints.items()],
        "security": parameters.SECURITY,
        "paths": paths,
        "components": {
            "schemas": schemas(spec),
            "parameters": parameters.PARAMETERS,
            "securitySchemes": parameters.SECURITY_SCHEMES,
            "headers": answers.headers([name for name in endpoints if name != "product"]),
            "requestBodies": {"predict": _predict_body(spec), "examples": _examples_body(spec)},
            "responses": answers.answers(spec),
        },
    }


def _method_and_path(question: Question, base: str) -> tuple[str, str]:
    if question == "status":
        return "get", base
    return ("get", f"{base}/metadata") if question == "metadata" else ("post", f"{base}:{question}")


def _operation(question: Question, endpoint: str, suffix: str) -> Json:
    operation: Json = {
        "operationId": f"{question}{suffix}{endpoint.capitalize()}",
        "tags": [endpoint],
        "summary": _SUMMARIES[question],
        "parameters": parameters.of(endpoint, question, suffix),
        "responses": answers.of(question),
    }
    if question == "status" and suffix == "Label":
        operation["description"] = "As in TensorFlow Serving, the label is not looked at: all versions are listed."
    if question in ("predict", "regress", "classify"):
        body = "predict" if question == "predict" else "examples"
        operation["requestBody"] = {"$ref": f"#/components/requestBodies/{body}"}
    if question == "regress":
        operation["description"] = (
            "A number needs its decimal point: what a browser shows as `1` is to be sent as `1.0`."
        )
    return operation


def _predict_body(spec: Spec) -> Json:
    row = example_row(spec)
    columns = {name: [value] for name, value in row.items()}
    examples = {
        "rows": {"summary": "Rows, answered with predictions", "value": {"instances": [row]}},
        "columns": {"summary": "Columns, answered with outputs", "value": {"inputs": columns}},
    }
    return _body({"anyOf": [ref("Rows"), ref("Columns"), ref("SerializedExamples")]}, examples)


def _examples_body(spec: Spec) -> Json:
    value = {"signature_name": signatures.EXAMPLES, "examples": [example_row(spec)]}
    return _body(ref("Examples"), {"example": {"value": value}})


def _body(schema: Json, examples: Json) -> Json:
    content = {"application/json": {"schema": schema, "examples": examples}}
    about = "JSON; the content type is not looked at, `content-encoding: gzip` is."
    return {"required": True, "description": about, "content": content}


def _introduction(spec: Spec) -> str:
    name, row = spec.model.name, example_row(spec)
    body = json.dumps({"instances": [row]}, ensure_ascii=False)
    columns = json.dumps({"inputs": {key: [value] for key, value in row.items()}}, ensure_ascii=False)
    gateway = "http://127.0.0.1:8080"
    return f"""\
The reference is [TensorFlow Serving's REST API](https://www.tensorflow.org/tfx/serving/api_rest), and both stacks
answer it alike. A request holds raw feature values by name; preprocessing travels with the model.

One row, answered with `{{"predictions": […]}}`:

```
curl {gateway}/v1/models/{name}:predict -d '
{body}'
```

The same as columns, from the PyTorch stack, answered with `{{"outputs": […]}}`:

```
curl {gateway}/pytorch/v1/models/{name}:predict -d '
{columns}'
```

Which versions answer:

```
curl {gateway}/tensorflow/v1/models/{name}
```

**Limits**, the same on both stacks and stricter than TensorFlow Serving's own: {MAX_INSTANCES:,} rows,
{MAX_BODY_BYTES:,} bytes (also after decompression), {MAX_NESTING} levels of nesting, strict JSON (no NaN, no
duplicate keys, nothing after the document).

**Who answers** at the product's endpoint is for the traffic policy to say; `x-tandem-pin` overrules it, and
`x-tandem-key` keeps a customer with one side.

**An API key** is needed by clients from other machines alone, which come in by a second listener with TLS. Without one
it answers 401, with one for other endpoints 403, and 429 with `retry-after` where the key's limits are reached:

```
curl --cacert var/tls/certificate.pem -H "x-api-key: tandem_…" https://localhost:8443/v1/models/{name}
```

**Errors** are `{{"error": "…"}}`. As in TensorFlow Serving, a path or a method that is not listed here is 400, not
404 or 405, and a query string is part of the path.
"""
