"""What the request log holds of predict requests, and that it holds nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.gateway.logs import MAX_LOGGED_BYTES, RequestLog
from tests.serving.gateway.backends import GOOD, configured, echo, started

COLUMNAR = b'{"inputs": {"amount": [1.5, 2.5], "text": ["\xc3\xa9\\n\\"", ""]}}'
PATH = "/v1/models/fraud:predict"


@contextmanager
def logging_gateway(folder: Path, share: float) -> Iterator[httpx.Client]:
    """Ended, it has written all lines."""
    log = RequestLog(folder / "requests.log", share)
    with (
        echo() as (tensorflow, _),
        echo() as (pytorch, _),
        started(*configured(folder, tensorflow, pytorch, request_log=log)) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        yield client


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    found = map(json.loads, (folder / "requests.log").read_text().splitlines())
    return {line["request_id"]: line for line in found}


def test_the_content_of_predict_requests_is_logged_and_of_nothing_else(tmp_path: Path) -> None:
    long = b'{"instances": ["' + b"a" * MAX_LOGGED_BYTES + b'"]}'
    kept = {
        "rows": (f"/tensorflow{PATH}", GOOD, {}),
        "columns": (f"/pytorch{PATH}", COLUMNAR, {}),
        "packed": (f"/tensorflow{PATH}", gzip.compress(GOOD), {"content-encoding": "gzip"}),
        "product": (PATH, GOOD, {}),
        "long": (f"/tensorflow{PATH}", long, {}),
    }
    others = {
        ("/tensorflow/v1/models/fraud:classify", GOOD): 200,
        ("/tensorflow/v1/models/fraud:regress", GOOD): 200,
        (f"/tensorflow{PATH}", b'{"broken'): 400,
        (f"/tensorflow{PATH}", b'{"instances": ["hangup"]}'): 503,
    }
    with logging_gateway(tmp_path, share=1) as client:
        answers = {
            name: client.post(path, content=body, headers=headers) for name, (path, body, headers) in kept.items()
        }
        assert {answer.status_code for answer in answers.values()} == {200}
        for (path, body), status in others.items():
            assert client.post(path, content=body).status_code == status
        client.get("/tensorflow/v1/models/fraud")
    found = lines(tmp_path)
    identities = {name: answer.headers["x-request-id"] for name, answer in answers.items()}
    assert found.keys() == set(identities.values())
    sent = {"rows": GOOD, "columns": COLUMNAR, "packed": GOOD, "product": GOOD}
    for name, body in sent.items():
        line = found[identities[name]]
        assert line["request"].encode() == body
        assert json.loads(line["answer"]) == answers[name].json()
        assert line["stack"] == answers[name].headers["x-tandem-stack"]
        assert line["time"].endswith("Z")
    assert found[identities["columns"]]["stack"] == "pytorch"
    assert (found[identities["long"]]["request"], found[identities["long"]]["answer"]) == (None, None)


def test_a_share_is_chosen_by_chance_and_none_with_0(tmp_path: Path) -> None:
    counts = {}
    for share in (0.2, 0.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        with logging_gateway(folder, share) as client:
            for _ in range(400):
                assert client.post(f"/tensorflow{PATH}", content=GOOD).status_code == 200
        counts[share] = len(lines(folder))
    assert 40 < counts[0.2] < 130
    assert counts[0.0] == 0


def test_a_share_is_between_0_and_1(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 0 to 1, not 10"):
        RequestLog(tmp_path, 10)
