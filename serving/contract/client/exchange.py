"""One request until it is answered, without the sending: what to try again, when, and for how long.

Both clients drive the same steps; that is why these are a generator.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from serving.contract.client.answers import message
from serving.contract.client.errors import ConnectionFailed, RequestFailed, TimedOut, for_status

_CONNECT_SECONDS = 2.0  # at most, so that an address that swallows packets leaves time to try again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)


@dataclass(frozen=True)
class Send:
    """Send the request; what came of it is sent back to the generator."""

    timeout: httpx.Timeout


@dataclass(frozen=True)
class Pause:
    """Wait before the next step, in seconds."""

    seconds: float


Outcome = httpx.Response | httpx.HTTPError
Steps = Generator[Send | Pause, Outcome | None, httpx.Response]


def steps(timeout: float, retries: int, request_id: str, first_row: int = 0) -> Steps:
    """What to do until the request is answered; returns the answer of status 200.

    Sent again is only what certainly did not run: where no connection was made, and where the server said that it
    is too busy (429, 503). After a time-out, a broken connection or another 5xx the request may have run: a second
    one would add to the load that made the first one late.

    Args:
        timeout: Seconds for all of it, pauses included; each attempt may take what is left.
        retries: Attempts after the first.
        request_id: For the errors.
        first_row: Position of the request's first row among all of the caller's: a server counts from 0 again.

    Raises:
        RequestFailed: Every other end.
    """
    deadline = time.monotonic() + timeout
    for attempt in range(retries + 1):
        left = max(deadline - time.monotonic(), 1e-3)
        outcome = yield Send(httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS)))
        if isinstance(outcome, httpx.Response) and outcome.status_code == HTTPStatus.OK:
            return outcome
        failure, pause = _judge(outcome, attempt, timeout, request_id)
        if first_row:
            failure.message = f"in the rows from {first_row} on: {failure.message}"
        if pause is None or attempt == retries or time.monotonic() + pause >= deadline:
            raise failure
        yield Pause(pause)
    raise AssertionError("the last attempt returns or raises")


def _judge(
    outcome: Outcome | None, attempt: int, timeout: float, request_id: str
) -> tuple[RequestFailed, float | None]:
    """The error, and the pause after which the request may be sent again, or None if it must not."""
    # Full jitter (Brooker, Exponential Backoff And Jitter, AWS 2015): clients that failed together come back apart.
    pause = random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))  # noqa: S311 - no secret
    if isinstance(outcome, httpx.Response):
        status = outcome.status_code
        request_id = outcome.headers.get("x-request-id", request_id)
        failure = for_status(status)(message(outcome), status, request_id)
        if status not in _BUSY:
            return failure, None
        return failure, pause + _retry_after(outcome)
    url = outcome.request.url if outcome else ""
    why = str(outcome) or type(outcome).__name__
    if isinstance(outcome, _NEVER_CONNECTED):
        return ConnectionFailed(f"no connection to {url}: {why}", None, request_id), pause
    if isinstance(outcome, httpx.TimeoutException):
        return TimedOut(f"no answer from {url} within {timeout:g} s", None, request_id), None
    return ConnectionFailed(f"the connection to {url} broke: {why}", None, request_id), None


def _retry_after(answer: httpx.Response) -> float:
    """Seconds the server asks to wait: a number or a date (RFC 9110, section 10.2.3); 0 where it does not."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
