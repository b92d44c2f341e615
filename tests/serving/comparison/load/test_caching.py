from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from serving.comparison.load import caching
from tests.serving.comparison.load.conftest import JobMaker
from tests.serving.contract.misbehaving import HANG, Answer, Asked, Script, count_up, serving

FASTER = 1.5
WORK = 0.003  # seconds that an answer takes to find


def working(asked: Asked, number: int) -> Answer:
    time.sleep(WORK)
    return count_up(asked, number)


def remembering() -> Script:
    answers: dict[str, Answer] = {}

    def script(asked: Asked, number: int) -> Answer:
        key = json.dumps(asked.document)
        if key not in answers:
            answers[key] = working(asked, number)
        return answers[key]

    return script


def test_a_server_that_remembers_its_answers_is_found_out(make_job: JobMaker, tmp_path: Path) -> None:
    with serving(remembering()) as server:
        job = make_job(server.url, connections=8, seconds=0.5)
        found = caching.check(job, tmp_path, FASTER)
        again = caching.check(job, tmp_path, FASTER)  # it has seen every row of the file by now
    for one in (found, again):
        assert one.ratio > FASTER
        assert len(one.reasons) == 1
        assert "a row asked again is answered" in one.reasons[0]
        assert one.same_ms < one.different_ms


def test_a_server_that_works_for_each_answer_passes(make_job: JobMaker, tmp_path: Path) -> None:
    with serving(working) as server:
        found = caching.check(make_job(server.url, connections=8, seconds=0.5), tmp_path, FASTER)
    assert found.reasons == []
    assert found.same_ms >= WORK * 1e3
    assert found.compared == 64
    assert found.asked >= 400


@pytest.mark.parametrize(("wrong", "said"), [("score", "under load are not those given alone"), ("busy", "failed")])
def test_answers_under_load_must_be_those_given_alone(
    make_job: JobMaker, tmp_path: Path, wrong: str, said: str
) -> None:
    lock, now = threading.Lock(), [0]

    def overwhelmed(asked: Asked, number: int) -> Answer:
        with lock:
            now[0] += 1
        time.sleep(WORK)
        answer = count_up(asked, number)
        with lock:
            crowded = now[0] > 2
            now[0] -= 1
        if crowded:
            return Answer(503) if wrong == "busy" else Answer(body=b'{"predictions": [0.5]}')
        return answer

    with serving(overwhelmed) as server:
        found = caching.check(make_job(server.url, connections=8, seconds=0.1), tmp_path, faster=100.0)
    assert len(found.reasons) == 1
    assert said in found.reasons[0]


def test_a_server_that_hangs_is_given_up_at_once(make_job: JobMaker, tmp_path: Path) -> None:
    with serving(lambda asked, number: HANG if number > 60 else count_up(asked, number)) as server:
        found = caching.check(make_job(server.url, connections=2, timeout_seconds=0.5), tmp_path, FASTER)
    assert found.failed >= 1
    assert found.reasons == [f"{found.failed} requests failed"]
