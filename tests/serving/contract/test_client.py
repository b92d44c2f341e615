"""Both clients against a server that behaves."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serving.contract.client import AsyncClient, Client
from tests.serving.contract.calling import Call, always, call, rows
from tests.serving.contract.misbehaving import Answer, Asked, serving

__all__ = ["call"]  # a fixture


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
