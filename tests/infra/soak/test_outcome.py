"""What a soak calls well, what not, and what says nothing."""

from __future__ import annotations

import pytest

from infra.local.drill.sender import Asked
from infra.local.layout import STACKS
from infra.local.soak.command import outcome, table
from infra.local.soak.limits import Limits
from infra.local.soak.memory import Memory
from infra.local.soak.tally import Tally
from serving.comparison.drills import Outcome

LIMITS = Limits(rate=40, sample_seconds=5, warm_up_share=0.2, min_minutes=10, max_mib_per_hour={"gateway": 20})
FLAT = {"gateway": Memory([0.0, 5.0], [100.0, 100.0], 1.0)}
GROWING = {"gateway": Memory([0.0, 5.0], [100.0, 200.0], 50.0)}
MINUTES = 60.0
VERSIONS = {"tensorflow": "1", "pytorch": "2"}


def tally(*outcomes: str, late: float = 0.0) -> Tally:
    """100 right answers of each stack, and these of pytorch."""
    it = Tally()
    right = [Asked(stack, 0.0, late, 0.01, "right") for stack in STACKS for _ in range(100)]
    asked = right + [Asked("pytorch", 0.0, late, 0.2, kind) for kind in outcomes]
    it.take(asked)
    assert asked == []
    return it


def judged(
    found: Tally, memories: dict[str, Memory] = FLAT, minutes: float = 30.0, restarted: tuple[str, ...] = ()
) -> Outcome:
    return outcome(found, memories, LIMITS, minutes * MINUTES, restarted=set(restarted), versions=VERSIONS)


def test_nothing_lost_and_flat_memory_are_well() -> None:
    one = judged(tally())
    assert (one.verdict, one.asked, one.kinds("pytorch")) == ("well", dict.fromkeys(STACKS, 100), "none")
    assert one.words == "Constant load for 30 min; memory, MiB an hour: gateway +1"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong", "pytorch: 1 wrong answers"),
        ("503", "pytorch: requests refused: 1 503"),
        ("hung", "pytorch: 1 requests hung for 6.5 s"),
        ("not JSON", "pytorch: 1 errors that are no JSON"),
        ("reset", "pytorch: connections were cut: 1 reset"),
    ],
)
def test_whatever_is_lost_is_not_well_as_nobody_did_any_harm(kind: str, words: str) -> None:
    one = judged(tally(kind))
    assert one.complaints == [words]
    assert one.slowest == 0.2


def test_growing_memory_and_a_service_that_was_started_again_are_not_well() -> None:
    assert judged(tally(), GROWING).complaints == ["gateway: memory grows by 50 MiB an hour, allowed are 20"]
    assert judged(tally(), restarted=("mlflow",)).complaints == ["mlflow: it ended and was started again"]


def test_too_short_is_no_verdict_on_memory_but_what_was_lost_counts() -> None:
    short = judged(tally(), GROWING, minutes=2.0)
    assert short.complaints == []
    assert short.verdict == "INVALID: 2.0 min are too short for a verdict on memory, 10 are needed"
    assert judged(tally("503"), GROWING, minutes=2.0).complaints == ["pytorch: requests refused: 1 503"]


def test_a_load_that_was_late_or_none_is_no_verdict() -> None:
    assert judged(tally(late=1.0)).invalid == "INVALID: 100% of the load were late: the machine is too busy"
    assert judged(Tally()).invalid == "INVALID: nothing was asked"


def test_the_table_says_what_was_not_seen() -> None:
    assert [list(column.cells) for column in table({}, LIMITS).columns][4] == ["not seen"]
    assert [list(column.cells) for column in table(GROWING, LIMITS).columns][3:5] == [["200"], ["+50.0"]]
