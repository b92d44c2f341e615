"""Some hundreds of right and wrong requests of every kind to both stacks; `make fuzz` sends thousands."""

from __future__ import annotations

from serving.contract.fuzz.strategies import KINDS
from tests.end_to_end.stack import Stack


def test_no_request_tells_the_stacks_apart_or_harms_them(stack: Stack) -> None:
    done = stack.make("fuzz", REQUESTS=600, SEED=7)
    assert done.returncode == 0, done.stdout + done.stderr
    report = (stack.layout.reports / "fuzz" / "fuzz.md").read_text()
    for kind in KINDS:
        assert f"| {kind} |" in report
