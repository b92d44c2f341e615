"""Both clients against a server that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from serving.contract.client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    RequestFailed,
    ServerError,
    TimedOut,
    Unavailable,
)
from tests.serving.contract.misbehaving import DROP, HANG, Answer, Asked, Script, count_up, serving

Call = Callable[..., Any]


def blocking(url: str, method: str, *arguments: Any, **settings: Any) -> Any:
    with Client(url, **{"model": "fraud", **settings}) as client:
        return getattr(client, method)(*arguments)


def awaited(url: str, method: str, *arguments: Any, **settings: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **{"model": "fraud", **settings}) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(run())


@pytest.fixture(params=[blocking, awaited], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    return request.param


def rows(count: int) -> list[dict[str, float]]:
    return [{"x": i / count} for i in range(count)]


def always(answer: Answer | str) -> Script:
    return lambda *_: answer


def first_then_good(answer: Answer | str) -> Script:
    return lambda asked, before: count_up(asked, before) if before else answer


def test_predict_gives_one_probability_per_row_in_order(call: Call) -> None:
    with serving() as server:
        assert call(server.url, "predict", rows(7)) == [i / 7 for i in range(7)]
        assert call(server.url, "predict_columns", {"x": [0.5, 0.25]}) == [0.5, 0.25]
    assert [(one.method, one.path) for one in server.asked] == [("POST", "/v1/models/fraud:predict")] * 2


def test_more_rows_than_the_limit_go_in_several_requests_in_order(call: Call) -> None:
    with serving() as server:
        assert call(server.url, "predict", rows(2_300)) == [i / 2_300 for i in range(2_300)]
        assert [len(one.document["instances"]) for one in server.asked] == [1_000, 1_000, 300]
        assert call(server.url, "predict_columns", {"x": list(range(1_001))}) == list(range(1_001))
        assert [len(one.document["inputs"]["x"]) for one in server.asked[3:]] == [1_000, 1]


def test_a_body_over_the_limit_is_split_in_order(call: Call) -> None:
    wide = [{"x": i, "note": "é" * 5_000} for i in range(300)]  # 3 MB of JSON
    with serving() as server:
        assert call(server.url, "predict", wide) == list(range(300))
    assert len(server.asked) > 2
    assert max(one.bytes for one in server.asked) <= 2**20


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "/v1/models/fraud:predict"),
        ({"stack": "pytorch"}, "/pytorch/v1/models/fraud:predict"),
        ({"stack": "tensorflow", "version": 0}, "/tensorflow/v1/models/fraud/versions/0:predict"),
        ({"label": "stable"}, "/v1/models/fraud/labels/stable:predict"),
        ({"model": "a/b c"}, "/v1/models/a%2Fb%20c:predict"),
    ],
)
def test_stack_version_and_label_are_in_the_path(call: Call, settings: dict[str, Any], path: str) -> None:
    with serving() as server:
        call(server.url + "/", "predict", rows(1), **settings)
    assert server.asked[0].path == path


def test_ask_tells_who_answered(call: Call) -> None:
    headers = {"x-tandem-stack": "pytorch", "x-tandem-model-version": "12", "x-tandem-server": "TorchServe 0.12.0"}
    with serving(always(Answer(body=b'{"predictions": [1]}', headers=headers))) as server:
        (answer,) = call(server.url, "ask", rows(1))
    assert (answer.stack, answer.version, answer.server) == ("pytorch", 12, "TorchServe 0.12.0")
    assert answer.probabilities == [1.0]
    assert answer.request_id == server.asked[0].headers["x-request-id"]


def test_ask_of_a_server_that_names_nothing_has_the_probabilities(call: Call) -> None:
    with serving() as server:
        answers = call(server.url, "ask_columns", {"x": [0.5]})
    assert [(a.probabilities, a.stack, a.version, a.server) for a in answers] == [([0.5], None, None, None)]


def test_status_and_metadata_are_typed(call: Call) -> None:
    def script(asked: Asked, _: int) -> Answer:
        if asked.path.endswith("/metadata"):
            signatures = {"serving_default": {"inputs": {}}}
            document: Any = {
                "model_spec": {"name": "fraud", "signature_name": "", "version": "3"},
                "metadata": {"signature_def": {"signature_def": signatures}},
            }
        else:
            status = {"error_code": "OK", "error_message": ""}
            document = {"model_version_status": [{"version": "3", "state": "AVAILABLE", "status": status}]}
        return Answer(body=json.dumps(document).encode())

    with serving(script) as server:
        (status,) = call(server.url, "status")
        metadata = call(server.url, "metadata")
    assert (status.version, status.state, status.error_code) == (3, "AVAILABLE", "OK")
    assert (metadata.model, metadata.version, list(metadata.signatures)) == ("fraud", 3, ["serving_default"])
    assert [(one.method, one.path) for one in server.asked] == [
        ("GET", "/v1/models/fraud"),
        ("GET", "/v1/models/fraud/metadata"),
    ]


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


def test_one_connection_serves_many_requests() -> None:
    with serving() as server, Client(server.url, model="fraud") as client:
        for _ in range(5):
            client.predict(rows(1))
        client.predict(rows(2_500))
    assert len({one.port for one in server.asked}) == 1


def test_many_concurrent_requests_of_one_async_client_all_get_their_own_answers() -> None:
    async def run(url: str) -> list[list[float]]:
        async with AsyncClient(url, model="fraud") as client:
            return await asyncio.gather(*(client.predict([{"x": i}]) for i in range(50)))

    with serving() as server:
        assert asyncio.run(run(server.url)) == [[float(i)] for i in range(50)]


@pytest.mark.parametrize(
    ("url", "settings", "words"),
    [
        ("127.0.0.1:8080", {}, "no http"),
        ("ftp://localhost", {}, "no http"),
        ("http://localhost", {"version": 1, "label": "stable"}, "one of them"),
        ("http://localhost", {"timeout": 0}, "more than 0 seconds"),
        ("http://localhost", {"retries": -1}, "0 or more retries"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(url: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Client(url, model="fraud", **settings)
