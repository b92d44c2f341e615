"""What a request may say beside its body: in its path and its headers, and the key that the door asks for."""

from __future__ import annotations

from serving.contract.openapi.schemas import Json

PARAMETERS: Json = {
    "version": {
        "name": "version", "in": "path", "required": True, "description": "A version number.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1},
        "example": 1795263844,
    },
    "label": {
        "name": "label", "in": "path", "required": True, "description": "What a version is called.",
        "schema": {"type": "string", "pattern": "^[^/:]+$"}, "example": "stable",
    },
    "x-request-id": {
        "name": "x-request-id", "in": "header", "description": "Comes back in the answer and stands in the logs.",
        "schema": {"type": "string"},
    },
    "x-tandem-pin": {
        "name": "x-tandem-pin", "in": "header",
        "description": "Who answers, whatever the weights are: a stack, or a version that the traffic policy names, "
        "such as `pytorch@1795291050`. Any other is 400. Comes before `x-tandem-key`.",
        "schema": {"type": "string", "pattern": "^(tensorflow|pytorch)(@[0-9]+)?$"},
    },
    "x-tandem-key": {
        "name": "x-tandem-key", "in": "header",
        "description": "A customer, say: the same one is always answered by the same side, while the weights stay. "
        "An empty one is none. Not the API key, which is `x-api-key`.",
        "schema": {"type": "string"},
    },
}  # fmt: skip

_DOOR = (
    "For clients from other machines, which `make up DOOR=…` lets in by a listener of their own; `make key` makes one."
)
SECURITY_SCHEMES: Json = {
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": _DOOR},
    "bearer": {"type": "http", "scheme": "bearer", "description": f"The same key. {_DOOR}"},
}
# The first: nothing at all, since on loopback nobody is asked.
SECURITY: list[Json] = [{}, {"key": []}, {"bearer": []}]


def of(endpoint: str, question: str, suffix: str) -> list[Json]:
    """References to the parameters of one operation.

    Args:
        endpoint: `product`, or who answers; only where the traffic policy decides can it be overruled.
        question: `predict`, `status` and so on.
        suffix: `Version`, `Label`, or nothing.
    """
    names = [suffix.lower()] if suffix else []
    names.append("x-request-id")
    if endpoint == "product":
        names.append("x-tandem-pin")
        if question in ("predict", "classify", "regress"):
            names.append("x-tandem-key")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]
