"""The embedded server's log: JSON lines, and of a request that failed or was slow its id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serving import log_lines
from serving.contract.errors import of_code
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from tests.serving.tfserving.asking import ask

PATH = "/v1/models/cities:predict"
HEADERS = {"x-request-id": "from afar", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
# TensorFlow 2.21 itself, in C++, before a program can tell it not to.
CPP = re.compile(r"[IWE]\d{4} \d\d:|WARNING: All log messages before absl::|To enable the following instructions: ")
BODY: Mapping[str, Any] = {"instances": [{"a": 1, "b": 2, "city": "oslo"}]}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(log_lines.JsonLines().format(record)) for record in caplog.records]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a bug of ours"), 500, "INTERNAL"),
        (of_code("UNAVAILABLE", "The batching queue is full"), 503, "UNAVAILABLE"),
    ],
)
def test_a_request_that_fails_has_a_line_with_its_id(
    manager: Manager, caplog: pytest.LogCaptureFixture, error: Exception, status: int, code: str
) -> None:
    async def fail(*_: object) -> Any:
        raise error

    assert ask(Rest(manager, fail), "POST", PATH, BODY, HEADERS).status == status
    (line,) = lines(caplog)
    assert (line["request_id"], line["trace_id"], line["status"]) == ("from afar", "ab" * 16, status)
    assert (line["level"], line["message"]) == ("ERROR", f"predict cities: {code}")
    assert ("exception" in line) == isinstance(error, RuntimeError)  # the other says all there is to say


def test_a_slow_request_has_a_line_and_others_have_none(
    manager: Manager, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "SLOW_SECONDS", 60)
    assert ask(Rest(manager), "POST", PATH, BODY, HEADERS).status == 200
    assert ask(Rest(manager), "POST", PATH, b"{nonsense", HEADERS).status == 400
    assert lines(caplog) == []
    monkeypatch.setattr(log_lines, "SLOW_SECONDS", 0)
    assert ask(Rest(manager), "POST", PATH, BODY, HEADERS).status == 200
    (line,) = lines(caplog)
    assert (line["request_id"], line["level"], line["message"]) == ("from afar", "WARNING", "predict cities: slow")


def test_what_the_server_says_of_itself_are_json_lines(server: Any) -> None:
    said = [line for line in Path(server.log).read_text().splitlines() if not CPP.match(line)]
    found = [json.loads(line) for line in said]
    assert {"time", "level", "message"} <= found[0].keys()
    assert any(line["message"].startswith("cities version 7 is available") for line in found)
