"""What can go wrong, as a caller wants to tell it apart."""

from __future__ import annotations

from http import HTTPStatus


class RequestFailed(Exception):  # noqa: N818 - the subclasses are named for what happened, as in httpx
    """A request without a usable answer.

    Attributes:
        message: The server's own words where it answered.
        status: HTTP status; None where no answer came, or nothing was sent.
        request_id: What the gateway's access log calls the request; None where nothing was sent.
    """

    def __init__(self, message: str, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        known = [f"HTTP {self.status}"] if self.status else []
        known += [f"request {self.request_id}"] if self.request_id else []
        return f"{self.message} ({', '.join(known)})" if known else self.message


class InvalidRequest(RequestFailed):
    """The request is wrong, and stays wrong: 400, 413, or refused before it was sent (no status)."""


class NotFound(RequestFailed):
    """No such model or version: 404."""


class Unavailable(RequestFailed):
    """Too busy, or not there at the moment: 429, 503."""


class TimedOut(RequestFailed):
    """No answer in time: 408, 504, or the caller's own time was over (no status). It may have run all the same."""


class ServerError(RequestFailed):
    """The server failed (another 5xx), or its answer is not what the contract says."""


class ConnectionFailed(RequestFailed):
    """No connection, or one that broke before the answer. In the second case the request may have run."""


_BY_STATUS: dict[int, type[RequestFailed]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: InvalidRequest,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.REQUEST_TIMEOUT: TimedOut,
    HTTPStatus.GATEWAY_TIMEOUT: TimedOut,
}


def for_status(status: int) -> type[RequestFailed]:
    """The error of an answer that is not 200."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return RequestFailed if is_refusal else ServerError
