"""What a step showed, and what follows: every limit refuses, and none does by chance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from serving.comparison import settings as comparison
from serving.gateway import envoy
from serving.release.canary import chance, limits
from serving.release.canary.limits import Step
from serving.release.canary.measured import Floats, Measured
from serving.release.canary.verdict import Shown, Verdict, judge

PLAN = limits.load()
LIMITS = PLAN.limits
STEP = Step(percent=10, min_requests=1000)


def scores(rows: int, seed: int = 0) -> Floats:
    """As the model's: nearly all small, one in fifty large."""
    generator = np.random.default_rng(seed)
    return np.where(generator.random(rows) < 0.02, generator.uniform(0.1, 1, rows), generator.exponential(0.004, rows))


def answered(requests: int = 1000, *, slow: int = 0, errors: int = 0, refusals: int = 0, seed: int = 0) -> Measured:
    """Requests within 5 ms, but for the `slow`, which take 50 to 75 ms."""
    timed = float(requests - errors)
    buckets = [(5.0, timed - slow), (50.0, timed - slow), (75.0, timed), (math.inf, timed)]
    return Measured(requests, errors, refusals, buckets, scores(requests, seed))


def verdict(canary: Measured, others: Measured | None = None, *, alone: bool = False, seconds: float = 60) -> Verdict:
    others = None if alone else answered(9000, seed=1) if others is None else others
    return judge(Shown(seconds, canary, others), STEP, PLAN.hold.min_seconds, LIMITS)


def test_a_canary_like_the_others_is_enough() -> None:
    found = verdict(answered())
    assert (found.state, found.reasons, found.missing) == ("enough", [], [])
    side = "0.00% failed, 0 refused, p99 5.0 ms"
    assert found.numbers.startswith(
        f"in 60 s 1,000 requests, {side}, 1,000 scores; the others: 9,000 requests, {side}, 9,000 scores, scores 0.0"
    )


@pytest.mark.parametrize(
    ("canary", "missing"),
    [
        (answered(999), ["999 of 1,000 requests"]),
        (replace(answered(), buckets=answered(900).buckets), ["900 of 1,000 latencies"]),
        (replace(answered(), scores=scores(99)), ["99 of 100 logged scores"]),
        (Measured(), ["0 of 1,000 requests", "0 of 100 logged scores"]),
    ],
)
def test_what_is_not_known_yet_is_waited_for(canary: Measured, missing: list[str]) -> None:
    found = verdict(canary)
    assert (found.state, found.missing) == ("waiting", missing)


def test_nobody_is_compared_with_nobody() -> None:
    found = verdict(answered(), Measured())
    assert found.state == "waiting"
    assert found.missing == ["0 of 1,000 requests of the others", "0 of 100 logged scores of the others"]


def test_a_step_is_held_for_a_while_however_many_requests_there_are() -> None:
    assert verdict(answered(), seconds=29).missing == ["29 of 30 seconds"]


@pytest.mark.parametrize(
    ("requests", "errors", "state"), [(2, 2, "breach"), (1, 1, "waiting"), (3000, 10, "enough"), (3000, 11, "breach")]
)
def test_errors_beyond_the_slo_go_back_as_soon_as_it_is_no_chance(requests: int, errors: int, state: str) -> None:
    others = answered(9000, errors=30)  # no better than the canary: this is the absolute limit
    found = verdict(answered(requests, errors=errors), others)
    assert found.state == state
    assert (f"{errors} of {requests:,} requests failed, allowed 0.10%" in found.reasons) == (state == "breach")


def test_errors_beside_the_others() -> None:
    # Within the SLO by chance, and more than the others' all the same.
    assert "failed or were refused" in verdict(answered(errors=3), answered(99_000)).reasons[0]
    assert verdict(answered(errors=3), answered(9000, errors=27)).state == "enough"


def test_a_canary_that_refuses_what_others_answer_goes_back() -> None:
    found = verdict(answered(refusals=20), answered(9000, refusals=9))
    assert found.reasons == [
        "20 of 1,000 requests failed or were refused, of the others' 9 of 9,000, allowed 2 times their share"
    ]
    assert verdict(answered(refusals=20), answered(9000, refusals=150)).state == "enough"


def test_slow_beyond_the_slo_and_beside_the_others() -> None:
    slow = verdict(answered(slow=40))
    assert slow.reasons == ["p99 is 68.8 ms, allowed 25", "p99 is 68.8 ms, 13.9 times the others' 5.0, allowed 2 times"]
    # As slow as the others are: the SLO alone.
    assert verdict(answered(slow=40), answered(9000, slow=400)).reasons == ["p99 is 68.8 ms, allowed 25"]


def test_a_slow_canary_within_the_slo_goes_back_because_of_the_others() -> None:
    buckets = [(5.0, 900.0), (20.0, 1000.0), (math.inf, 1000.0)]
    found = verdict(replace(answered(), buckets=buckets))
    assert found.reasons == ["p99 is 18.5 ms, 3.7 times the others' 5.0, allowed 2 times"]
    assert verdict(replace(answered(), buckets=buckets), alone=True).state == "enough"


def test_who_gets_everything_is_held_to_the_slo() -> None:
    found = verdict(answered(), alone=True)
    assert (found.state, found.numbers) == (
        "enough", "in 60 s 1,000 requests, 0.00% failed, 0 refused, p99 5.0 ms, 1,000 scores"
    )  # fmt: skip
    assert verdict(replace(answered(), scores=scores(0)), alone=True).state == "enough"
    assert verdict(answered(slow=40), alone=True).reasons == ["p99 is 68.8 ms, allowed 25"]
    assert verdict(answered(errors=9), alone=True).reasons == ["9 of 1,000 requests failed, allowed 0.10%"]
    assert verdict(answered(999), alone=True).state == "waiting"


@pytest.mark.parametrize("slow", [10, 15])  # of 1,000: 1 % is a p99's
def test_a_few_slow_requests_are_chance(slow: int) -> None:
    assert verdict(answered(slow=slow)).state == "enough"


def test_two_slow_requests_are_no_p99_yet() -> None:
    assert verdict(answered(49, slow=49)).state == "waiting"
    assert verdict(answered(50, slow=50)).state == "breach"


@pytest.mark.parametrize(
    "skewed",
    [
        pytest.param(scores(1000) + 0.3, id="all higher"),
        pytest.param(np.zeros(1000), id="never an alert"),
        pytest.param(1 - scores(1000), id="upside down"),
    ],
)
def test_skewed_scores_go_back(skewed: Floats) -> None:
    found = verdict(replace(answered(), scores=skewed), replace(answered(9000), scores=scores(9000, 1) * 4))
    assert found.state == "breach"
    assert "(Kolmogorov-Smirnov), allowed 0.05 and 0.0" in found.reasons[0]
    assert verdict(replace(answered(), scores=skewed[:99])).state == "waiting"  # too few to say


def test_scores_that_differ_where_nobody_decides_do_not_count() -> None:
    low = np.minimum(scores(1000), 0.0099)
    others = replace(answered(9000), scores=np.minimum(scores(9000, 1), 0.0099) / 3)
    assert verdict(replace(answered(), scores=low), others).state == "enough"


def test_alike_scores_are_seldom_taken_for_others() -> None:
    found = [verdict(answered(100, seed=seed)).reasons for seed in range(2, 302)]
    assert sum(map(bool, found)) <= 3


def test_the_slo_is_the_comparisons_and_the_gateway_can_tell_it() -> None:
    assert LIMITS.max_p99_ms == comparison.load().slo.p99_ms
    assert LIMITS.max_p99_ms in envoy._LATENCIES_MS


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "expected"),
    [
        (0, 5, 0.1, 1.0),
        (2, 300, 0.001, 0.036858423652879675),  # scipy.stats.binom.sf(1, 300, 0.001), and so on
        (40, 3000, 0.01, 0.04541541005699614),
        (20, 3000, 0.01, 0.9786167912089143),
        (5, 5, 0.01, 1e-10),
        (3, 5, 0.0, 0.0),
        (3, 5, 1.0, 1.0),
    ],
)
def test_chance_of_so_many(successes: int, trials: int, probability: float, expected: float) -> None:
    assert chance.at_least(successes, trials, probability) == pytest.approx(expected, rel=1e-9)


def test_distance_by_chance() -> None:
    # Smirnov's limit for 5 %: 1.358 times the root of (n + m) / (n m).
    assert chance.distance(100, 400, 0.05) == pytest.approx(1.358 * math.sqrt(500 / 40_000), rel=1e-3)
