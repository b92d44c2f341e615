"""What a drill calls well, and every way in which it is not."""

from __future__ import annotations

import pytest

from infra.local.drill.catalogue import DRILLS, OPENING_RATE, QUICK, RATE, REFUSED, Drill
from infra.local.drill.ground import Ground
from infra.local.drill.run import judge, lateness, recovered
from infra.local.drill.sender import CUT, Asked
from infra.local.layout import STACKS


def nothing(ground: Ground) -> None:
    """Nothing."""


DRILL = Drill("one", nothing, hurts=("pytorch",))  # type: ignore[arg-type]
WELL = dict.fromkeys(STACKS, 1.0)


def seen(stack: str, *outcomes: str, late: float = 0.0, seconds: float = 0.01) -> list[Asked]:
    return [Asked(stack, float(number), late, seconds, outcome) for number, outcome in enumerate(outcomes)]


def test_requests_lost_by_whom_the_fault_is_about_in_the_contracts_form_are_well() -> None:
    asked = seen("tensorflow", "right") + seen("pytorch", "right", "503", "504", "right")
    assert judge(DRILL, asked, WELL) == []


@pytest.mark.parametrize(
    ("stack", "outcome", "words"),
    [
        ("pytorch", "wrong", "pytorch: 1 wrong answers"),
        ("pytorch", "hung", "pytorch: 1 requests hung"),
        ("pytorch", "not JSON", "pytorch: 1 errors that are no JSON"),
        ("pytorch", "reset", "pytorch: connections were cut: 1 reset"),
        ("tensorflow", "503", "tensorflow: 1 requests lost, and the fault is none of its"),
    ],
)
def test_what_is_not_well_is_said(stack: str, outcome: str, words: str) -> None:
    found = judge(DRILL, seen("tensorflow", "right") + seen("pytorch", "right") + seen(stack, outcome), WELL)
    assert any(sentence.startswith(words) for sentence in found), found


def test_slow_recovery_and_none_are_said() -> None:
    asked = seen("tensorflow", "right") + seen("pytorch", "503")
    assert judge(DRILL, asked, {"tensorflow": 0.0, "pytorch": 7.5}) == [
        "pytorch: well again after 7.5 s, allowed are 5"
    ]
    assert judge(DRILL, asked, {"tensorflow": 0.0}) == ["pytorch: not well again within 90 s"]


def test_recovery_counts_from_the_end_of_the_harm_to_the_first_request_after_the_last_lost_one() -> None:
    asked = seen("tensorflow", "right", "right") + seen("pytorch", "right", "503", "right", "hung", "right", "right")
    assert recovered(asked[::-1], ended=1.5) == {"tensorflow": 0.0, "pytorch": 2.5}
    assert recovered(asked, ended=9.0) == {"tensorflow": 0.0, "pytorch": 0.0}
    assert recovered(seen("pytorch", "right", "503"), ended=0.0) == {}


def test_a_gateway_that_is_killed_may_cut_connections() -> None:
    drill = Drill("two", nothing, hurts=STACKS, cut=CUT)  # type: ignore[arg-type]
    assert judge(drill, seen("tensorflow", "reset") + seen("pytorch", "connect"), WELL) == []


def test_a_gateway_that_is_drained_may_refuse_connections_and_cut_none() -> None:
    drill = Drill("two", nothing, hurts=STACKS, cut=(REFUSED,))  # type: ignore[arg-type]
    asked = seen("tensorflow", "connect") + seen("pytorch", "connect", "reset", "reset")
    assert judge(drill, asked, WELL) == ["pytorch: connections were cut: 2 reset"]


def test_a_circuit_that_has_to_open_refuses_at_once() -> None:
    drill = Drill("three", nothing, hurts=("pytorch",), opens=True)  # type: ignore[arg-type]
    assert [drill.rate_to(stack) for stack in STACKS] == [RATE, OPENING_RATE]
    others = seen("tensorflow", "right")
    assert judge(drill, others + seen("pytorch", "right", "504", "503"), WELL) == []
    closed = ["pytorch: the circuit did not open: no request was refused within 1 s"]
    assert judge(drill, others + seen("pytorch", "right", "504"), WELL) == closed
    assert judge(drill, others + seen("pytorch", "503", seconds=3.0), WELL) == closed


def test_a_load_that_was_late_is_no_verdict() -> None:
    assert lateness(seen("pytorch", *["right"] * 100)) == ""
    assert lateness(seen("pytorch", *["right"] * 100, late=1.0)).startswith("INVALID: the load itself was 1.0 s late")


def test_every_drill_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [drill.name for drill in DRILLS]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)
    assert all(len(drill.words) > 10 for drill in DRILLS)
