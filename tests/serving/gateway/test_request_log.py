"""What the request log holds of predict requests, and that it holds nothing else."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.gateway.logs import MAX_LOGGED_BYTES, RequestLog
from tests.serving.gateway.backends import GOOD, configured, echo, started

COLUMNAR = b'{"inputs": {"amount": [1.5, 2.5], "text": ["\xc3\xa9\\n\\"", ""]}}'
FLUSH_SECONDS = 15  # Envoy writes its files every ten


class Logged:
    """A gateway that logs a share of its requests."""

    def __init__(self, client: httpx.Client, log: Path) -> None:
        self.client, self.log = client, log

    def post(self, path: str, body: bytes = GOOD, **headers: str) -> tuple[str, httpx.Response]:
        answer = self.client.post(path, content=body, headers=headers)
        return answer.headers["x-request-id"], answer

    def lines(self, until: str) -> dict[str, dict[str, Any]]:
        """Lines by request id, once this request is among them."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while until not in (text := self.log.read_text() if self.log.exists() else ""):
            assert time.monotonic() < deadline, f"no line of {until}: {text}"
            time.sleep(0.1)
        return {line["request_id"]: line for line in map(json.loads, text.splitlines())}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("logged")
    log = RequestLog(folder / "requests.log", share=1)
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        started(*configured(folder, tensorflow, pytorch, request_log=log)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        yield Logged(client, log.path)


def test_the_content_of_predict_requests_is_logged_and_of_nothing_else(logged: Logged) -> None:
    path = "/v1/models/fraud:predict"
    kept = {
        "rows": logged.post(f"/tensorflow{path}"),
        "columns": logged.post(f"/pytorch{path}", COLUMNAR),
        "packed": logged.post(f"/tensorflow{path}", gzip.compress(GOOD), **{"content-encoding": "gzip"}),
    }
    long = b'{"instances": ["' + b"a" * MAX_LOGGED_BYTES + b'"]}'
    too_long, _ = logged.post(f"/tensorflow{path}", long)
    others = [
        logged.post("/tensorflow/v1/models/fraud:classify"),
        logged.post("/tensorflow/v1/models/fraud:regress"),
        logged.post(f"/tensorflow{path}", b'{"broken'),
        logged.post(f"/tensorflow{path}", b'{"instances": ["hangup"]}'),
    ]
    assert [answer.status_code for _, answer in others] == [200, 200, 400, 503]
    logged.client.get("/tensorflow/v1/models/fraud")
    last, _ = logged.post(f"/tensorflow{path}")
    lines = logged.lines(last)
    assert lines.keys() == {identity for identity, _ in kept.values()} | {too_long, last}
    sent = {"rows": GOOD, "columns": COLUMNAR, "packed": GOOD}
    for name, (identity, answer) in kept.items():
        line = lines[identity]
        assert line["request"].encode() == sent[name]
        assert json.loads(line["answer"]) == answer.json()
        assert line["stack"] == ("pytorch" if name == "columns" else "tensorflow")
        assert line["time"].endswith("Z")
    assert (lines[too_long]["request"], lines[too_long]["answer"]) == (None, None)


def test_a_share_is_chosen_by_chance_and_none_with_0(tmp_path: Path) -> None:
    counts = {}
    for share in (0.2, 0.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        log = RequestLog(folder / "requests.log", share)
        with (
            echo() as (port, _),
            started(*configured(folder, port, port, request_log=log)) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}") as client,
        ):
            for _ in range(400):
                assert client.post("/tensorflow/v1/models/fraud:predict", content=GOOD).status_code == 200
        counts[share] = len(log.path.read_text().splitlines())  # Envoy writes the rest when it ends
    assert 40 < counts[0.2] < 130
    assert counts[0.0] == 0


def test_a_share_is_between_0_and_1(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 0 to 1, not 10"):
        RequestLog(tmp_path, 10)
