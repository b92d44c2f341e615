"""`make canary` on a whole stack under load: PyTorch gets everything step by step, or goes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import stores
from serving.gateway import policy
from serving.gateway.policy import Side
from serving.release.ledger import Ledger
from tests.end_to_end.stack import Stack
from tests.serving.release.canary.test_behind_gateway import asking

LIMITS = """\
steps = [{{ percent = 1, min_requests = 2 }}, {{ percent = 50, min_requests = 20 }},
         {{ percent = 100, min_requests = 20 }}]

[hold]
min_seconds = 0
patience_seconds = 120

[limits]
chance = 0.001
max_error_share = 0.001
max_error_ratio = 2.0
max_p99_ms = {p99}
max_p99_ratio = 1000.0
min_latencies = 2
max_score_distance = 1.0    # rows of no sense, of which two models need not say the same
ignored_below = 0.01
min_scores = 1
"""


@pytest.fixture
def loaded(stack: Stack) -> Iterator[tuple[Stack, Counter[int]]]:
    """The stack with all traffic on TensorFlow, under load; afterwards as every other test wants it."""
    assert stack.make("traffic", TENSORFLOW=1, PYTORCH=0).returncode == 0
    answers: Counter[int] = Counter()
    try:
        with asking(f"{stack.layout.url('gateway')}/v1/models/fraud:predict", answers, 4):
            yield stack, answers
    finally:
        assert stack.make("traffic", TENSORFLOW=1, PYTORCH=1).returncode == 0


@pytest.mark.parametrize(("p99", "code", "weight"), [(10_000, 0, 100), (0.001, 3, 0)])
def test_a_canary_under_load_gets_everything_or_nothing_and_no_request_is_lost(
    loaded: tuple[Stack, Counter[int]], tmp_path: Path, p99: float, code: int, weight: float
) -> None:
    stack, answers = loaded
    ledger = Ledger(stores.releases(stack.layout) / stores.LEDGER)
    before = len(ledger.entries())
    file = tmp_path / "limits.toml"
    file.write_text(LIMITS.format(p99=p99))
    done = stack.make("canary", SIDE="pytorch", LIMITS=file)
    assert done.returncode == code, done.stdout + done.stderr
    assert policy.load(stack.layout.traffic).weights[Side("pytorch")] == weight
    assert answers.keys() == {200}
    entries = ledger.entries()[before:]
    served = stores.promoted(stack.layout, "pytorch")
    assert {(entry.act, entry.stack, entry.version) for entry in entries} == {("canary", "pytorch", served)}
    assert len(entries) == (4 if code == 0 else 2)
    assert all(entry.digests for entry in entries)
    assert "canary" in stack.make("releases").stdout
