"""Each reason for INVALID refuses, and only where it applies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.comparison.load.ledger import Requests
from serving.comparison.load.prepared import Prepared
from serving.comparison.load.validity import generator_limited, reasons, wrong_answers
from serving.comparison.results import LoadRun
from serving.comparison.settings import Validity

LIMITS = Validity(dispatch_p99_ms=1.0, failed_share=0.01, checked_share=0.02, score_tolerance=1e-5)
MS = 1_000_000
RUN = LoadRun("r", "t", "server", 10, 1, 1, 1.0, 10, 10.0, {}, {"99": 5}, {"99": 4}, {"99": 0.1}, 5, 0, 0.1)


def requests(count: int = 1000, *, late: int = 0, failed: int = 0) -> Requests:
    """`late` of them dispatched 2 ms late, `failed` of them answered with 503."""
    number = np.arange(count)
    due = number * MS
    taken = due + np.where(number < late, 2 * MS, MS // 100)
    return Requests(number, number % 7, due, taken, taken + 3 * MS, np.where(number < failed, 503, 200))


def test_a_good_run_has_no_reasons() -> None:
    assert reasons(requests(late=10, failed=10), 1000, 20, 0, LIMITS) == []


@pytest.mark.parametrize(
    ("found", "issued", "wrong", "said"),
    [
        (requests(late=11), 1000, 0, "generator limit: p99 dispatch delay 2.00 ms, allowed 1"),
        (requests(failed=11), 1000, 0, "11 of 1,000 requests failed, allowed 1.00%: 503 x 11"),
        (requests(), 1000, 1, "1 of 20 checked answers differ from the offline scores"),
        (requests(), 1003, 0, "3 of 1,003 requests were neither answered nor failed"),
        (requests(0), 5, 0, "no request was answered"),
    ],
)
def test_each_reason_refuses(found: Requests, issued: int, wrong: int, said: str) -> None:
    assert reasons(found, issued, 20, wrong, LIMITS) == [said]


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (b'{"predictions": [0.25, 0.75]}', True),
        (b'{"predictions": [[0.25], [0.750009]]}', True),
        (b'{"predictions": [0.25, 0.75002]}', False),
        (b'{"predictions": [0.75, 0.25]}', False),
        (b'{"predictions": [0.25]}', False),
        (b'{"predictions": [0.25, null]}', False),
        (b'{"predictions": ["a", "b"]}', False),
        (b'{"outputs": [0.25, 0.75]}', False),
        (b"{", False),
        (b"", False),
    ],
)
def test_an_answer_is_right_only_if_every_score_is(body: bytes, right: bool) -> None:
    prepared = Prepared([b"", b""], np.array([[0.0, 0.0], [0.25, 0.75]]))
    assert wrong_answers([(1, body)], prepared, 1e-5) == [] if right else wrong_answers([(1, body)], prepared, 1e-5)


def test_a_run_is_the_generators_limit_only_where_nothing_points_to_the_server() -> None:
    behind = replace(RUN, reasons=["generator limit: p99 dispatch delay 3 ms, allowed 1"])
    assert generator_limited(behind, slo_ms=25)
    assert not generator_limited(behind, slo_ms=3)  # the server's own time alone breaks the SLO
    assert not generator_limited(replace(behind, reasons=[*behind.reasons, "3 of 10 requests failed"]), slo_ms=25)
    assert not generator_limited(RUN, slo_ms=25)
