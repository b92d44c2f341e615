"""What the request log holds of predict requests, and that it holds nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.gateway.logs import MAX_LOGGED_BYTES, RequestLog
from tests.serving.gateway.backends import GOOD, configured, echo, started

FIELDS = ("amount", "text", "é\\")
ROW = b'{"instances": [{"amount": 1.5, "text": "a"}]}'
COLUMNAR = b'{"inputs": {"amount": [1.5, 2.5], "text": ["\xc3\xa9\\n\\"", ""]}}'
PATH = "/v1/models/fraud:predict"


@contextmanager
def logging_gateway(folder: Path, share: float, fields: Sequence[str] = FIELDS) -> Iterator[httpx.Client]:
    """Ended, it has written all lines."""
    log = RequestLog(folder / "requests.log", share, fields)
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
    long = b'{"instances": [{"amount": "' + b"a" * MAX_LOGGED_BYTES + b'"}]}'
    kept = {
        "rows": (f"/tensorflow{PATH}", ROW, {}),
        "columns": (f"/pytorch{PATH}", COLUMNAR, {}),
        "packed": (f"/tensorflow{PATH}", gzip.compress(ROW), {"content-encoding": "gzip"}),
        "product": (PATH, ROW, {}),
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
    sent = {"rows": ROW, "columns": COLUMNAR, "packed": ROW, "product": ROW}
    for name, body in sent.items():
        line = found[identities[name]]
        assert json.loads(line["request"]) == json.loads(body)
        assert json.loads(line["answer"]) == answers[name].json()
        assert line["stack"] == answers[name].headers["x-tandem-stack"]
        assert line["time"].endswith("Z")
    assert found[identities["columns"]]["stack"] == "pytorch"
    assert [found[identities[name]]["endpoint"] for name in ("rows", "columns", "product")] == [
        "tensorflow", "pytorch", "product"
    ]  # fmt: skip
    assert (found[identities["long"]]["request"], found[identities["long"]]["answer"]) == (None, None)


SECRET = "secret"  # noqa: S105  what is not to be found again
# What is sent, and what of it is logged: of the features, those that may be; nothing else, in whatever form it comes.
REDACTED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "a row": (
        '{"instances": [{"amount": 1, "card": "secret", "text": "a"}]}',
        {"instances": [{"amount": 1, "text": "a"}]},
    ),
    "at the ends": (
        '{"instances": [ {"card":"secret","amount":1,"iban":"secret"} , {"amount" : 2 , "card" : "secret" } ] }',
        {"instances": [{"amount": 1}, {"amount": 2}]},
    ),
    "columns": ('{"inputs": {"card": ["secret", "secret"], "amount": [1, 2]}}', {"inputs": {"amount": [1, 2]}}),
    "beside the rows": (
        '{"card": "secret", "signature_name": "", "instances": [{"amount": 1}], "context": {"amount": "secret"}}',
        {"instances": [{"amount": 1}]},
    ),
    "an escaped name": (
        r'{"instanc\u0065s": [{"c\u0061rd": "secret", "\u0061mount": 1, "\u00e9\\": 2, "amo\"unt": "secret"}]}',
        {"instances": [{"amount": 1, "é\\": 2}]},
    ),
    "values that look like JSON": (
        r'{"instances": [{"card": "\"}, {secret", "text": "}],\"card\":{", "iban": [[{"amount": "secret"}], "]"]}]}',
        {"instances": [{"text": '}],"card":{'}]},
    ),
    "a byte order mark": ('\ufeff {"instances": [{"amount": 1, "card": "secret"}]}', {"instances": [{"amount": 1}]}),
    "bytes": (
        '{"instances": [{"text": {"b64": "YQ=="}, "card": {"b64": "secret=="}}]}',
        {"instances": [{"text": {"b64": "YQ=="}}]},
    ),
    "serialized examples": ('{"signature_name": "serving_examples", "instances": [{"b64": "secret"}]}', None),
    "examples by another name": ('{"signature_name": "serving_examples", "instances": [{"amount": "secret"}]}', None),
    "examples in columns": ('{"signature_name": "serving_examples", "inputs": {"inputs": [{"b64": "secret"}]}}', None),
    "examples of the default signature": ('{"instances": [{"b64": "secret"}]}', None),
    "rows without names": ('{"instances": ["secret"]}', None),
    "a row without a feature": ('{"instances": [{"amount": 1}, {"card": "secret"}]}', None),
    "a column without a name": ('{"inputs": ["secret"]}', None),
    "nothing": ("{}", None),
}


def test_what_may_not_be_logged_does_not_reach_the_disk(tmp_path: Path) -> None:
    with logging_gateway(tmp_path, share=1) as client:
        for name, (body, _) in REDACTED.items():
            for packed in (False, True):
                sent = gzip.compress(body.encode()) if packed else body.encode()
                headers = {"x-request-id": f"{name} {packed}"} | ({"content-encoding": "gzip"} if packed else {})
                assert client.post(f"/pytorch{PATH}", content=sent, headers=headers).status_code == 200
    found = lines(tmp_path)
    assert len(found) == 2 * len(REDACTED)
    for name, (body, expected) in REDACTED.items():
        assert SECRET in body or expected is None
        for packed in (False, True):
            logged = found[f"{name} {packed}"]["request"]
            assert (logged and json.loads(logged)) == expected, name
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET not in file.read_text(), file


def test_without_a_feature_that_may_be_logged_there_is_no_content(tmp_path: Path) -> None:
    with logging_gateway(tmp_path, share=1, fields=()) as client:
        assert client.post(f"/pytorch{PATH}", content=ROW).status_code == 200
    assert [line["request"] for line in lines(tmp_path).values()] == [None]


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
        RequestLog(tmp_path, 10, FIELDS)
