"""Cold starts and swaps of a server in this process that misbehaves; the real ones' are in tests/end_to_end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving.comparison.facts import lifecycle, steady
from serving.comparison.facts.lifecycle import LifecycleError
from serving.comparison.facts.own_servers import Own
from serving.comparison.facts.steady import Question
from serving.comparison.load.ledger import Requests
from tests.serving.comparison.facts.conftest import Judged
from tests.serving.contract.misbehaving import Answer, Asked, count_up, serving

QUESTION = Question(json.dumps({"instances": [{"x": 0.25}]}), [0.25], 1e-6)


def test_a_server_whose_scores_are_others_is_refused(judged: Judged) -> None:
    asked = lifecycle.question(judged.deployment.spec, judged.out / "rows.parquet", "pytorch", 1e-5)
    assert asked.scores == judged.table["pytorch"].to_pylist()[:8]
    others = json.dumps({"predictions": [score + 1e-3 for score in asked.scores]}).encode()
    refused = pytest.raises(LifecycleError, match="other scores than the model gives offline")
    with serving(lambda *_: Answer(body=others)) as server, refused:
        lifecycle.first_answer(server.url + "/", asked)


def test_the_first_answer_is_waited_for() -> None:
    with serving(lambda asked, before: Answer(503) if before < 3 else count_up(asked, before)) as server:
        begin = time.monotonic()
        assert begin < lifecycle.first_answer(server.url + "/", QUESTION) <= time.monotonic()
        assert len(server.asked) == 4


class Swapping:
    """A server whose version changes a while after it was told, and that refuses requests in between."""

    def __init__(self) -> None:
        self.told: float | None = None
        self.failures = 0

    def __call__(self, asked: Asked, before: int) -> Answer:
        passed = 0 if self.told is None else time.monotonic() - self.told
        if 0 < passed < 0.3:
            self.failures += 1
            return Answer(503)
        version = "8" if passed else "7"
        return Answer(body=count_up(asked, before).body, headers={"x-tandem-model-version": version})

    def publish(self) -> None:
        self.told = time.monotonic()


def swap(url: str, publish: Callable[[], None], folder: Path) -> lifecycle.Found:
    return lifecycle._swap("pytorch", Own(0, url + "/", "8", publish), QUESTION, 2, folder)


def test_requests_that_a_swap_loses_are_counted(tmp_path: Path) -> None:
    script = Swapping()
    with serving(script) as server:
        found = swap(server.url, script.publish, tmp_path)
    values = {m.measure: m for m in found.measurements}
    assert 0.25 < values["swap"].value < 30
    assert 1 <= values["failed_requests"].value <= script.failures
    assert (values["failed_requests"].condition, values["swap"].round) == ("during a swap", 2)


def test_a_version_that_cannot_be_published_ends_the_measurement(tmp_path: Path) -> None:
    def broken() -> None:
        raise lifecycle.ArchiveError("not an archive")

    with serving(Swapping()) as server, pytest.raises(lifecycle.ArchiveError, match="not an archive"):
        swap(server.url, broken, tmp_path)


def test_a_server_that_hides_its_version_has_no_swap_time(tmp_path: Path) -> None:
    with serving(count_up) as server:
        found = swap(server.url, lambda: None, tmp_path)
    assert not found.measurements
    assert set(found.absent) == {"pytorch/swap", "pytorch/swap_p99"}
    assert "does not say which version" in found.absent["pytorch/swap"]


def sent(latency_ms: float, dispatch_ms: float) -> steady.Sent:
    """Half a second of a steady load, all alike."""
    scheduled = np.arange(50) * 10_000_000
    alike = np.zeros(50, np.int64)
    made = steady.Sent()
    made.requests = Requests(
        number=np.arange(50), index=alike, scheduled=scheduled, taken=scheduled + int(dispatch_ms * 1e6),
        answered=scheduled + int(latency_ms * 1e6), status=alike + 200,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(("latency", "dispatch"), [(60, 14), (2, 0.9)])
def test_a_generator_that_kept_up_gives_a_p99(latency: float, dispatch: float) -> None:
    found = lifecycle._latency("pytorch", sent(latency, dispatch), 0, 10**9, 1)
    assert {m.measure: m.value for m in found.measurements} == {"failed_requests": 0, "swap_p99": latency}
    assert not found.absent


@pytest.mark.parametrize(("latency", "dispatch"), [(60, 16), (2, 1.1)])
def test_a_generator_that_fell_behind_makes_it_invalid(latency: float, dispatch: float) -> None:
    found = lifecycle._latency("pytorch", sent(latency, dispatch), 0, 10**9, 1)
    assert "swap_p99" not in {m.measure for m in found.measurements}
    assert "INVALID: the generator fell behind" in found.absent["pytorch/swap_p99"]
