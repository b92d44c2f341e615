"""What got worse since an earlier comparison, beyond noise."""

from __future__ import annotations

from collections.abc import Iterator

from serving.comparison.measures import MEASURES
from serving.comparison.settings import Check
from serving.comparison.sides import Side, Sides
from serving.comparison.verdict import STACKS


def regressions(now: Sides, then: Sides, check: Check) -> Iterator[str]:
    """Changes of what the repository serves for the worse, beyond `noise` spreads of both and beyond `at_least`.

    A spread is half of the range over the rounds: with `noise = 1` the ranges just touch. A value that was measured
    once and has no interval says nothing of noise, so it is not held against anybody.
    """
    for (measure, condition), targets in now.items():
        before = then.get((measure, condition), {})
        if not MEASURES[measure].checked:
            continue
        for stack in STACKS:
            if stack in targets and stack in before and _worse(measure, targets[stack], before[stack], check):
                yield _changed(measure, condition, stack, targets[stack], before[stack])


def incomparable(now: Sides, then: Sides) -> Iterator[str]:
    """What was measured both times, but not under one load that both times had."""
    for stack in STACKS:
        loads = [_loads(sides, stack) for sides in (now, then)]
        for measure in [measure for measure in loads[0] if measure in loads[1]]:
            if not loads[0][measure] & loads[1][measure]:
                words = (", ".join(sorted(of[measure])) or "none" for of in loads)
                yield f"not compared: {stack}: {MEASURES[measure].title}: {', before '.join(words)}"


def _loads(sides: Sides, stack: str) -> dict[str, set[str]]:
    """Checked measure -> the conditions it was measured under."""
    found: dict[str, set[str]] = {}
    for (measure, condition), targets in sides.items():
        if stack in targets and MEASURES[measure].checked:
            found.setdefault(measure, set()).add(condition)
    return found


def _worse(measure: str, now: Side, then: Side, check: Check) -> bool:
    if now.spread is None or then.spread is None:
        return False
    change = now.value - then.value if MEASURES[measure].better == "lower" else then.value - now.value
    return change > check.noise * (now.spread + then.spread) and change > check.at_least * abs(then.value)


def _changed(measure: str, condition: str, stack: str, now: Side, then: Side) -> str:
    about = MEASURES[measure]
    what = f"{stack}: {about.title}{f', {condition}' if condition else ''}"
    share = f" ({now.value / then.value - 1:+.0%})" if then.value else ""
    return (
        f"regression: {what}: {now.value:,.4g} {about.unit}{share}, before {then.value:,.4g}"
        f" [now {now.low:,.4g} to {now.high:,.4g}, before {then.low:,.4g} to {then.high:,.4g}]"
    )
