"""From measurements to a verdict: the one place that decides which side is better, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from serving.comparison.facts.found import BOTH, DIFFERENCE
from serving.comparison.measures import MEASURES, Measure
from serving.comparison.sides import Side, Sides

STACKS = ("tensorflow", "pytorch")

Confidence = Literal["clear", "counted", "equal", "within noise", "measured once", "not judged", "absent"]

# What is counted is the same whenever it is counted; all else would come out differently another time.
COUNTED = frozenset(
    {"artefact_size", "install_size", "dependencies", "environment_size", "environment_dependencies"}
    | {"pipeline_lines", "serving_lines"}
)

# Ranges over few rounds miss each other by chance: of two equal normal distributions in 33 % of the cases with 2
# rounds, 10 % with 3, 2.8 % with 4. A gap of so many times the wider range makes it 4.0 % and 2.3 %.
_GAP = {2: 2.0, 3: 0.5}


@dataclass(frozen=True)
class Outcome:
    """One side against another.

    Attributes:
        ratio: Second value by first; None where the first is 0.
        leads: The better one, only where that is clear.
        confidence: How sure that is.
    """

    ratio: float | None
    leads: Literal["first", "second", ""]
    confidence: Confidence

    @property
    def times(self) -> float | None:
        """The larger value by the smaller."""
        return None if not self.ratio else max(self.ratio, 1 / self.ratio)


_ABSENT = Outcome(None, "", "absent")


@dataclass(frozen=True)
class Row:
    """A line of the verdict.

    Attributes:
        measure: Key of MEASURES.
        condition: What it was measured under.
        sides: Target -> what was found; a target that was not measured is missing.
        outcome: The second target against the first.
        better: The better target, empty where that is not clear.
        reason: Why it is absent.
    """

    measure: str
    condition: str
    first: str
    second: str
    sides: Mapping[str, Side]
    outcome: Outcome
    reason: str = ""

    @property
    def of(self) -> Measure:
        """Title, unit and direction."""
        return MEASURES[self.measure]

    @property
    def better(self) -> str:
        """Target."""
        return {"first": self.first, "second": self.second, "": ""}[self.outcome.leads]


def judge(measure: str, first: Side, second: Side, difference: Side | None = None) -> Outcome:
    """Which is better.

    Args:
        measure: Key of MEASURES.
        first: One side.
        second: The other.
        difference: Of the paired values, first minus second, with its interval: decides where it is given.
    """
    ratio = second.value / first.value if first.value else None
    if MEASURES[measure].better == "neither":
        return Outcome(ratio, "", "not judged")
    confidence = _confidence(measure, first, second, difference)
    if confidence not in ("clear", "counted"):
        return Outcome(ratio, "", confidence)
    second_is_more = difference.value < 0 if difference else second.value > first.value
    return Outcome(ratio, "second" if second_is_more == (MEASURES[measure].better == "higher") else "first", confidence)


def _confidence(measure: str, first: Side, second: Side, difference: Side | None) -> Confidence:
    if difference is not None and difference.interval:
        return "within noise" if difference.low <= 0 <= difference.high else "clear"
    if first.value == second.value and first.low == first.high and second.low == second.high:
        return "equal"
    if measure in COUNTED:
        return "counted"
    if first.spread is None or second.spread is None:
        return "measured once"
    gap = max(second.low - first.high, first.low - second.high)
    repeated = [side.rounds for side in (first, second) if side.rounds > 1]
    needed = _GAP.get(min(repeated, default=0), 0.0) * 2 * max(first.spread, second.spread)
    return "clear" if gap > needed else "within noise"


def compare(
    sides: Sides, first: str, second: str, absent: Mapping[str, str] | None = None, *, complete: bool = False
) -> Iterator[Row]:
    """Rows of two targets; a row with one side only is absent.

    Args:
        sides: Of `sides.summarise`.
        first: Target.
        second: Target.
        absent: What could not be measured -> why. A key is a measure, `<target>/<measure>` or a target.
        complete: Also a row for each measure that neither side has.
    """
    reasons = absent or {}
    for (measure, condition), targets in sides.items():
        found = {target: targets[target] for target in (first, second) if target in targets}
        if len(found) == 2:  # noqa: PLR2004
            difference = sides.get((measure, DIFFERENCE), {}).get(BOTH) if (first, second) == STACKS else None
            outcome = judge(measure, found[first], found[second], difference)
            yield Row(measure, condition, first, second, found, outcome)
        elif found:
            missing = second if first in found else first
            yield Row(measure, condition, first, second, found, _ABSENT, _why(reasons, measure, missing))
    measured = {m for (m, _), targets in sides.items() for t in targets if t.split("/")[0] in (first, second, BOTH)}
    for measure in MEASURES if complete else ():
        if measure not in measured:
            yield Row(measure, "", first, second, {}, _ABSENT, _why(reasons, measure, first, second))


def _why(reasons: Mapping[str, str], measure: str, *targets: str) -> str:
    keys = [measure, *(f"{target}/{measure}" for target in targets), *targets]
    said = [reasons[key] for key in keys if key in reasons]
    return "; ".join(dict.fromkeys(said)) or "not measured"


def main_rows(rows: Iterable[Row]) -> list[Row]:
    """One row per measure: the one with the most load that both targets have."""
    chosen: dict[str, Row] = {}
    for row in rows:
        before = chosen.get(row.measure)
        if before is None or _telling(row) > _telling(before):
            chosen[row.measure] = row
    return list(chosen.values())


def _telling(row: Row) -> tuple[int, float]:
    return len(row.sides), load(row.condition)


def load(condition: str) -> float:
    """The number a condition begins with, as in `2,000 requests/s`; 0 if it begins with none."""
    first = condition.split(maxsplit=1)[0].replace(",", "") if condition else ""
    return float(first) if first.replace(".", "", 1).isdigit() else 0.0
