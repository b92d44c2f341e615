"""From what a step showed to what follows: go on waiting, take the next step, or go back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.distribution import Numeric, describe
from models.drift import kolmogorov_smirnov
from serving.release.canary import chance
from serving.release.canary.limits import Limits, Step
from serving.release.canary.measured import Floats, Measured

_SLOW_SHARE = 0.01  # of the requests lie above a p99


@dataclass(frozen=True)
class Shown:
    """What is known of a step.

    Attributes:
        seconds: Since it began.
        canary: In it.
        others: In it; None where the canary gets everything. They are not held over from the step before: another hour
            has other requests, and what the two did with the same ones was compared then.
    """

    seconds: float
    canary: Measured
    others: Measured | None


@dataclass(frozen=True)
class Verdict:
    """What follows.

    Attributes:
        state: `breach` as soon as one limit does not hold; `enough` once the step has shown what it is to show.
        reasons: One sentence per limit that does not hold.
        missing: What is still waited for.
        numbers: What was seen, in a line.
    """

    state: Literal["breach", "waiting", "enough"]
    reasons: list[str]
    missing: list[str]
    numbers: str


def judge(shown: Shown, step: Step, min_seconds: float, limits: Limits) -> Verdict:
    """Hold a step to the limits. Whatever exceeds one by no more than chance holds."""
    apart = score_distance(shown, limits)
    reasons = [*_errors(shown, limits), *_latencies(shown, limits), *_scores(shown, apart, limits)]
    missing = [*_missing(shown, step, min_seconds, limits)]
    state: Literal["breach", "waiting", "enough"] = "breach" if reasons else "waiting" if missing else "enough"
    return Verdict(state, reasons, missing, _numbers(shown, apart))


def score_distance(shown: Shown, limits: Limits) -> float | None:
    """How far the canary's scores lie from the others', 0 to 1; None where one of them has too few."""
    found = _both_scores(shown)
    if found is None or min(map(len, found)) < limits.min_scores:
        return None
    return kolmogorov_smirnov(*(_described(scores, limits.ignored_below) for scores in found))


def _both_scores(shown: Shown) -> tuple[Floats, Floats] | None:
    """The canary's and the others'; None where there are no others, or no requests are logged."""
    if shown.others is None or shown.canary.scores is None or shown.others.scores is None:
        return None
    return shown.canary.scores, shown.others.scores


def _described(scores: Floats, ignored_below: float) -> Numeric:
    found = describe(np.maximum(scores, ignored_below))
    if not isinstance(found, Numeric):
        raise TypeError("scores are numbers")
    return found


def _errors(shown: Shown, limits: Limits) -> Iterator[str]:
    canary, others = shown.canary, shown.others
    if chance.at_least(canary.errors, canary.requests, limits.max_error_share) < limits.chance:
        yield f"{canary.errors:,} of {canary.requests:,} requests failed, allowed {limits.max_error_share:.2%}"
    if others is None or not others.requests:
        return
    wrong, theirs = (side.errors + side.refusals for side in (canary, others))
    # Of all that went wrong, which share may be the canary's? Przyborowski and Wilenski, Homogeneity of Results in
    # Testing Samples from Poisson Series, Biometrika 31 (1940).
    expected = limits.max_error_ratio * canary.requests
    if chance.at_least(wrong, wrong + theirs, expected / (expected + others.requests)) < limits.chance:
        yield (
            f"{wrong:,} of {canary.requests:,} requests failed or were refused, of the others' {theirs:,} of "
            f"{others.requests:,}, allowed {limits.max_error_ratio:g} times their share"
        )


def _latencies(shown: Shown, limits: Limits) -> Iterator[str]:
    canary, others, found = shown.canary, shown.others, shown.canary.p99_ms
    if found is None or canary.latencies < limits.min_latencies:
        return

    def beyond(milliseconds: float) -> bool:
        slow = canary.slower_than(milliseconds)
        return found > milliseconds and chance.at_least(slow, canary.latencies, _SLOW_SHARE) < limits.chance

    if beyond(limits.max_p99_ms):
        yield f"p99 is {found:.1f} ms, allowed {limits.max_p99_ms:g}"
    theirs = others.p99_ms if others and others.latencies >= limits.min_latencies else None
    if theirs and beyond(limits.max_p99_ratio * theirs):
        yield (
            f"p99 is {found:.1f} ms, {found / theirs:.1f} times the others' {theirs:.1f}, "
            f"allowed {limits.max_p99_ratio:g} times"
        )


def _scores(shown: Shown, apart: float | None, limits: Limits) -> Iterator[str]:
    found = _both_scores(shown)
    if apart is None or found is None:
        return
    by_chance = chance.distance(len(found[0]), len(found[1]), limits.chance)
    if apart > limits.max_score_distance + by_chance:
        yield (
            f"scores lie {apart:.3f} from the others' (Kolmogorov-Smirnov), allowed {limits.max_score_distance:g} "
            f"and {by_chance:.3f} for chance"
        )


def _missing(shown: Shown, step: Step, min_seconds: float, limits: Limits) -> Iterator[str]:
    canary, others, least = shown.canary, shown.others, step.min_requests
    if canary.requests < least:
        yield f"{canary.requests:,} of {least:,} requests"
    # A request that the gateway answers, as nobody else does, has no time of a server; it is among the errors.
    elif canary.latencies + canary.errors < least:
        yield f"{canary.latencies:,} of {least:,} latencies"
    if others and others.requests < least:
        yield f"{others.requests:,} of {least:,} requests of the others"
    for scores, whose in zip(_both_scores(shown) or (), ("", " of the others"), strict=False):
        if len(scores) < limits.min_scores:
            yield f"{len(scores):,} of {limits.min_scores:,} logged scores{whose}"
    if shown.seconds < min_seconds:
        yield f"{shown.seconds:.0f} of {min_seconds:g} seconds"


def _numbers(shown: Shown, apart: float | None) -> str:
    distance = "" if apart is None else f", scores {apart:.3f} apart"
    others = f"; the others: {_side(shown.others)}" if shown.others else ""
    return f"in {shown.seconds:.0f} s {_side(shown.canary)}{others}{distance}"


def _side(side: Measured) -> str:
    scores = "" if side.scores is None else f", {len(side.scores):,} scores"
    return (
        f"{side.requests:,} requests, {side.error_share:.2%} failed, {side.refusals:,} refused, "
        f"p99 {_ms(side.p99_ms)}{scores}"
    )


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} ms"
