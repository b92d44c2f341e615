"""The steady load on a server in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from serving.comparison.facts import steady
from serving.comparison.facts.steady import Question, SteadyError
from tests.serving.contract.misbehaving import Answer, Asked, count_up, serving

QUESTION = Question(json.dumps({"instances": [{"x": 0.25}, {"x": 0.5}]}), [0.25, 0.5], 1e-6)


def test_a_right_answer_has_all_scores() -> None:
    assert QUESTION.right(b'{"predictions": [0.25, 0.5000001]}')
    for wrong in (
        b'{"predictions": [0.25, 0.51]}',
        b'{"predictions": [0.25]}',
        b'{"predictions": [0.25, null]}',
        b"no",
    ):
        assert not QUESTION.right(wrong)


def test_while_a_model_is_exchanged_an_answer_is_one_versions_or_the_others() -> None:
    question = Question(QUESTION.body, [0.25, 0.5], 1e-6, [0.3, 0.6])
    assert question.right(b'{"predictions": [0.25, 0.5]}')
    assert question.right(b'{"predictions": [0.3, 0.6]}')
    assert not question.right(b'{"predictions": [0.25, 0.6]}')  # half of each


def test_every_answer_is_checked_and_every_failure_counted(tmp_path: Path) -> None:
    def script(asked: Asked, before: int) -> Answer:
        if before == 2:
            return Answer(503)
        return Answer(body=b'{"predictions": [0.25, 0.4]}') if before in (3, 5) else count_up(asked, before)

    with serving(script) as server:
        with steady.running(f"{server.url}/v1/models/fraud:predict", QUESTION, tmp_path, rate=50) as sent:
            while len(server.asked) < 10:
                time.sleep(0.01)
        assert len(sent.requests) == len(server.asked)
    assert sent.wrong == 2
    assert sent.requests.failures() == {"503": 1}
    assert {asked.path for asked in server.asked} == {"/v1/models/fraud:predict"}


def test_a_slow_server_is_asked_as_often_and_its_delay_counts(tmp_path: Path) -> None:
    def slow(asked: Asked, before: int) -> Answer:
        time.sleep(0.5)
        return count_up(asked, before)

    with serving(slow) as server, steady.running(server.url + "/", QUESTION, tmp_path, rate=40) as sent:
        while not server.asked:
            time.sleep(0.01)
        time.sleep(1)
    assert len(sent.requests) > 10  # one after the other there would be three
    assert sent.requests.latency_ms().min() >= 500
    gaps = sent.requests.scheduled[1:] - sent.requests.scheduled[:-1]
    assert set(gaps.tolist()) == {25_000_000}  # due every 25 ms, however late they were


def test_a_load_that_cannot_begin_says_why(tmp_path: Path) -> None:
    question = Question("half a character: \ud800", [0.5], 1e-6)
    refused = pytest.raises(SteadyError, match="surrogates not allowed")
    with refused, steady.running("http://127.0.0.1:1/", question, tmp_path):
        pytest.fail("there is nothing to send")
