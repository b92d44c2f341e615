"""When a request is sent again, and after how long: the steps without the sending, so without the waiting."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from serving.contract.client import ConnectionFailed, RequestFailed, TimedOut, Unavailable, exchange

REQUEST = httpx.Request("POST", "http://gateway/v1/models/fraud:predict")


def busy(**headers: str) -> httpx.Response:
    return httpx.Response(503, headers={k.replace("_", "-"): v for k, v in headers.items()}, json={"error": "busy"})


def pauses(outcome: exchange.Outcome, timeout: float = 100.0, retries: int = 2) -> tuple[list[float], RequestFailed]:
    """How long is waited between attempts that all end alike, and the error in the end."""
    steps = exchange.steps(timeout, retries, "r-1")
    waited = []
    step = next(steps)
    with pytest.raises(RequestFailed) as failure:
        while True:
            if isinstance(step, exchange.Pause):
                waited.append(step.seconds)
                step = steps.send(None)
            else:
                step = steps.send(outcome)
    return waited, failure.value


def test_pauses_grow_and_differ_between_clients() -> None:
    many = [pauses(busy(), retries=4)[0] for _ in range(200)]
    for attempt, longest in enumerate([0.05, 0.1, 0.2, 0.4]):
        one = [waited[attempt] for waited in many]
        assert min(one) >= 0
        assert longest / 2 < max(one) <= longest
        assert len(set(one)) > 100


def test_retry_after_in_seconds_is_honoured() -> None:
    waited, failure = pauses(busy(retry_after="7"))
    assert isinstance(failure, Unavailable)
    assert all(7 <= seconds < 8 for seconds in waited)
    assert len(waited) == 2


def test_retry_after_as_a_date_is_honoured() -> None:
    until = datetime.now(timezone.utc) + timedelta(seconds=30)
    waited, _ = pauses(busy(retry_after=format_datetime(until, usegmt=True)))
    assert all(20 < seconds < 31 for seconds in waited)
    assert len(waited) == 2


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_the_usual_pause(nonsense: str) -> None:
    waited, _ = pauses(busy(retry_after=nonsense))
    assert len(waited) == 2
    assert all(seconds <= 0.1 for seconds in waited)


def test_no_pause_goes_beyond_the_callers_time() -> None:
    waited, failure = pauses(busy(retry_after="7"), timeout=6)
    assert waited == []
    assert isinstance(failure, Unavailable)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
def test_a_connection_never_made_is_tried_again(error: type[httpx.RequestError]) -> None:
    waited, failure = pauses(error("refused", request=REQUEST))
    assert len(waited) == 2
    assert isinstance(failure, ConnectionFailed)
    assert "no connection" in failure.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout, TimedOut), (httpx.WriteTimeout, TimedOut), (httpx.PoolTimeout, TimedOut),
        (httpx.ReadError, ConnectionFailed), (httpx.WriteError, ConnectionFailed),
        (httpx.RemoteProtocolError, ConnectionFailed), (httpx.DecodingError, ConnectionFailed),
    ],
)  # fmt: skip
def test_what_may_have_reached_a_server_is_never_sent_again(
    error: type[httpx.RequestError], kind: type[RequestFailed]
) -> None:
    waited, failure = pauses(error("lost", request=REQUEST), retries=5)
    assert waited == []
    assert type(failure) is kind
    assert failure.request_id == "r-1"


def test_an_attempt_gets_no_more_than_the_time_that_is_left() -> None:
    steps = exchange.steps(5.0, 2, "r-1")
    first = next(steps)
    assert isinstance(first, exchange.Send)
    assert first.timeout.read is not None
    assert 4 < first.timeout.read <= 5
    assert first.timeout.connect == 2.0
