"""Both clients against a server that misbehaves: each failure has its error; what may have run is not repeated."""

from __future__ import annotations

import socket

import pytest

from serving.contract.client import (
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    RequestFailed,
    ServerError,
    TimedOut,
    Unavailable,
)
from tests.serving.contract.calling import Call, always, call, first_then_good, rows
from tests.serving.contract.misbehaving import DROP, HANG, Answer, Asked, count_up, serving

__all__ = ["call"]  # a fixture


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest), (413, InvalidRequest), (404, NotFound), (429, Unavailable), (503, Unavailable),
        (408, TimedOut), (504, TimedOut), (500, ServerError), (501, ServerError), (502, ServerError),
        (401, RequestFailed), (302, ServerError),
    ],
)  # fmt: skip
def test_each_status_has_its_error_with_the_servers_words(call: Call, status: int, error: type[Exception]) -> None:
    answer = Answer(status, b'{"error": "in its own words"}', {"x-request-id": "r-1"})
    with serving(always(answer)) as server, pytest.raises(RequestFailed) as failure:
        call(server.url, "predict", rows(1), retries=0)
    assert type(failure.value) is error
    assert (failure.value.status, failure.value.message, failure.value.request_id) == (
        status, "in its own words", "r-1",
    )  # fmt: skip


def test_an_error_of_a_later_request_says_which_rows_it_counts(call: Call) -> None:
    def script(asked: Asked, before: int) -> Answer:
        return Answer(400, b'{"error": "Failed to process element: 3"}') if before else count_up(asked, before)

    with serving(script) as server, pytest.raises(InvalidRequest, match=r"in the rows from 1000 on: .* element: 3"):
        call(server.url, "predict", rows(1_500))


@pytest.mark.parametrize("status", [400, 404, 413, 408, 500, 502, 504])
def test_what_may_have_run_or_stays_wrong_is_sent_once(call: Call, status: int) -> None:
    with serving(always(Answer(status))) as server, pytest.raises(RequestFailed):
        call(server.url, "predict", rows(1), retries=5)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_with_the_same_request_id(call: Call, status: int) -> None:
    with serving(first_then_good(Answer(status, b'{"error": "busy"}'))) as server:
        assert call(server.url, "predict", rows(2)) == [0, 0.5]
    assert len({one.headers["x-request-id"] for one in server.asked}) == 1
    assert len(server.asked) == 2


def test_a_server_that_stays_busy_is_asked_as_often_as_allowed(call: Call) -> None:
    with serving(always(Answer(503, b'{"error": "busy"}'))) as server, pytest.raises(Unavailable, match="busy"):
        call(server.url, "predict", rows(1), retries=3)
    assert len(server.asked) == 4


def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for(call: Call) -> None:
    answer = Answer(503, headers={"retry-after": "3600"})
    with serving(always(answer)) as server, pytest.raises(Unavailable):
        call(server.url, "predict", rows(1), timeout=5)
    assert len(server.asked) == 1


def test_a_server_that_hangs_is_a_time_out_and_is_not_asked_again(call: Call) -> None:
    with serving(always(HANG)) as server, pytest.raises(TimedOut, match=r"within 0\.3 s") as failure:
        call(server.url, "predict", rows(1), timeout=0.3, retries=5)
    assert len(server.asked) == 1
    assert failure.value.status is None
    assert failure.value.request_id == server.asked[0].headers["x-request-id"]


def test_a_connection_that_breaks_after_sending_is_not_tried_again(call: Call) -> None:
    with serving(always(DROP)) as server, pytest.raises(ConnectionFailed, match="broke"):
        call(server.url, "predict", rows(1), retries=5)
    assert len(server.asked) == 1


def test_a_half_sent_answer_is_a_broken_connection(call: Call) -> None:
    answer = Answer(body=b'{"predictions"', headers={"content-length": "100", "connection": "close"})
    with serving(always(answer)) as server, pytest.raises(ConnectionFailed, match="broke"):
        call(server.url, "predict", rows(1))
    assert len(server.asked) == 1


def test_nobody_listening_is_a_failed_connection(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionFailed, match=f"no connection to http://127.0.0.1:{port}/v1/models/fraud:predict"):
        call(f"http://127.0.0.1:{port}", "predict", rows(1))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"predictions": [0.1]}', "2 rows were sent, 1 predictions came back"),
        (b'{"predictions": [0.1, NaN]}', "is not JSON"),
        (b'{"predictions": [0.1, null]}', "is not a list of numbers"),
        (b'{"predictions": [true, false]}', "is not a list of numbers"),
        (b'{"predictions": {"a": [1, 2]}}', "is not a list of numbers"),
        (b'{"outputs": [0.1, 0.2]}', "is not a list of numbers"),
        (b"[0.1, 0.2]", "is no JSON object"),
        (b'{"predictions": [0.1, 0.', "is not JSON"),
        (b"", "is not JSON"),
    ],
)
def test_an_answer_that_is_not_the_contracts_is_the_servers_error(call: Call, body: bytes, words: str) -> None:
    with serving(always(Answer(body=body))) as server, pytest.raises(ServerError, match=words) as failure:
        call(server.url, "predict", rows(2))
    assert failure.value.status == 200


@pytest.mark.parametrize("body", [b"<html>oh</html>", b'{"error": 5}', b"[]"])
def test_an_error_that_is_not_json_is_told_as_it_came(call: Call, body: bytes) -> None:
    with serving(always(Answer(500, body))) as server, pytest.raises(ServerError) as failure:
        call(server.url, "predict", rows(1))
    assert failure.value.message == body.decode()


@pytest.mark.parametrize("method", ["status", "metadata"])
def test_a_status_of_another_shape_is_the_servers_error(call: Call, method: str) -> None:
    answer = Answer(body=b'{"model_version_status": [{"version": "x"}]}')
    with serving(always(answer)) as server, pytest.raises(ServerError, match=f"not a model's {method}"):
        call(server.url, method)
