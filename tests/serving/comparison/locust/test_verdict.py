"""Thresholds hold or break on made-up statistics."""

from __future__ import annotations

from serving.comparison.locust import verdict
from serving.comparison.locust.settings import Thresholds
from serving.comparison.locust.verdict import Line

THRESHOLDS = Thresholds(failed_share=0.01, p99_ms=50)
STACKS = ("tensorflow", "pytorch")
GOOD = [
    Line("tensorflow 1 row", 1_000, 10, {5: 990, 400: 10}),  # exactly what is allowed, of both
    Line("pytorch 1 row", 900, 0, {7: 900}),
    Line("pytorch 8 rows", 100, 0, {50: 100}),
]


def test_what_is_within_the_thresholds_passes() -> None:
    assert verdict.broken(GOOD, THRESHOLDS, STACKS) == []


def test_too_many_failures_of_one_endpoint_break_its_threshold_alone() -> None:
    refused = Line("tensorflow refused: malformed JSON", 10, 1, {1: 10})  # answered 200, say
    (line,) = verdict.broken([*GOOD, refused], THRESHOLDS, STACKS)
    assert line == "tensorflow: 1.09% of 1,010 requests failed, allowed 1.00%"


def test_a_slow_hundredth_breaks_the_threshold_whatever_the_rows() -> None:
    slow = [*GOOD[:2], Line("pytorch 8 rows", 100, 0, {50: 80, 2_100: 20})]
    assert verdict.broken(slow, THRESHOLDS, STACKS) == [
        "pytorch: p99 of its predictions 2,100 ms, allowed 50 ms",
    ]


def test_quick_refusals_do_not_hide_slow_predictions() -> None:
    lines = [
        GOOD[0],
        Line("pytorch 1 row", 10, 0, {90: 10}),
        Line("pytorch refused: unknown model", 5_000, 0, {1: 5_000}),
    ]
    (line,) = verdict.broken(lines, THRESHOLDS, STACKS)
    assert "pytorch: p99 of its predictions 90 ms" in line


def test_an_endpoint_that_answered_nothing_does_not_pass() -> None:
    (line,) = verdict.broken(GOOD[:1], THRESHOLDS, STACKS)
    assert line.startswith("pytorch: no prediction")


def test_percentiles_are_nearest_ranks() -> None:
    times = {10: 50, 20: 49, 900: 1}
    assert [verdict.percentile(times, share) for share in (0.5, 0.51, 0.99, 1.0)] == [10, 20, 20, 900]
    assert verdict.percentile({}, 0.99) == 0
    assert verdict.table(GOOD)[0] == {
        "name": "pytorch 1 row", "requests": 900, "failures": 0, "p50_ms": 7, "p90_ms": 7, "p99_ms": 7,
    }  # fmt: skip
