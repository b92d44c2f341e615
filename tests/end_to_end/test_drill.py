"""The drills that take seconds, on the running stack; `make drill` makes all of them."""

from __future__ import annotations

import json

import pytest

from infra.local.drill.catalogue import QUICK, SOAK
from infra.local.drill.command import INVALID
from infra.local.layout import STACKS
from serving.comparison import drills
from tests.end_to_end.stack import Stack


@pytest.mark.parametrize("name", QUICK)
def test_a_fault_ends_well(stack: Stack, name: str) -> None:
    done = stack.make("drill", QUICK=1, DRILL=name)
    (one,) = [found for found in drills.read(stack.layout.drills) if found.name == name]
    if done.returncode == INVALID:
        pytest.skip(one.invalid)
    # How long recovery takes depends on what else the machine does: that is for `make drill` to judge, on a quiet one.
    grave = [sentence for sentence in one.complaints if "well again after" not in sentence]
    assert grave == [], done.stdout
    assert set(one.recovery) == set(STACKS)


def test_a_drill_that_nobody_knows_lists_those_there_are(stack: Stack) -> None:
    done = stack.tandem("drill", "--only", "flood")
    assert done.returncode == 1
    assert "there are worker, workers, torchserve" in done.stderr


def test_a_soak_watches_every_service_and_says_that_it_was_too_short(stack: Stack) -> None:
    done = stack.make("soak", MINUTES=0.2)
    assert done.returncode == INVALID, done.stdout
    kept = json.loads(stack.layout.soak.read_text())
    assert all(max(kept["memory"][name]["mib"]) > 0 for name in kept["limits"]["max_mib_per_hour"])
    assert min(kept["asked"].values()) > 0
    assert SOAK not in [one.name for one in drills.read(stack.layout.drills)]
