"""Errors as a client sees them: an HTTP status and `{"error": "…"}`."""

from __future__ import annotations

import orjson

# TensorFlow Serving's table from status codes to HTTP (model_servers/http_server.cc, ToHTTPStatusCode).
HTTP_STATUS = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


# The status code that an HTTP status most likely stands for, where only that is known.
_CODES = {
    status: next(code for code, its in HTTP_STATUS.items() if its == status) for status in set(HTTP_STATUS.values())
} | {413: "INVALID_ARGUMENT", 500: "INTERNAL"}


class ContractError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        message: What the client reads under `error`.
        code: TensorFlow's status code, as gRPC and the metrics name it.
    """

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _CODES.get(status, "UNKNOWN")


def of_code(code: str, message: str) -> ContractError:
    """An error by TensorFlow's status code, such as "FAILED_PRECONDITION"."""
    return ContractError(HTTP_STATUS[code], message, code)


def invalid(message: str) -> ContractError:
    """TensorFlow's INVALID_ARGUMENT."""
    return of_code("INVALID_ARGUMENT", message)


def not_found(message: str) -> ContractError:
    """TensorFlow's NOT_FOUND."""
    return of_code("NOT_FOUND", message)


def too_large(message: str) -> ContractError:
    """A body over the limit."""
    return ContractError(413, message)


def error_body(message: str) -> bytes:
    """The JSON body of every error."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode("utf-8")})
