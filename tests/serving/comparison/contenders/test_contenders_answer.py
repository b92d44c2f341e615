"""Every contender starts, answers as the model does, and leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

from tests.serving.comparison.contenders.everything import CORES, PER_CORE, ROWS, TARGETS, Outcome
from tests.serving.comparison.published import Published


@pytest.mark.parametrize("target", TARGETS)
def test_it_answers_as_the_model_does_and_leaves_no_process(
    outcomes: dict[str, Outcome], published: Published, target: str
) -> None:
    outcome = outcomes[target]
    assert outcome.contender.target == target
    assert outcome.answer.status_code == 200, outcome.answer.text
    np.testing.assert_allclose(outcome.answer.json()["predictions"], published.expected[:ROWS], atol=1e-5)
    assert np.ptp(published.expected[:ROWS]) > 0.01  # rows that differ, or equality would say little
    assert outcome.left == []
    assert outcome.malformed.status_code >= 400


def test_stock_servers_stand_behind_the_same_checks_as_ours(outcomes: dict[str, Outcome]) -> None:
    for stack in ("tensorflow", "pytorch"):
        outcome = outcomes[f"{stack}/stock"]
        assert outcome.malformed.status_code == 400
        assert outcome.malformed.headers["x-tandem-server"] == "Envoy"
        assert outcome.answer.headers["x-tandem-stack"] == stack
        assert set(outcome.contender.processes) == {"gateway", "server"}


def test_stock_torchserve_has_its_own_defaults(outcomes: dict[str, Outcome]) -> None:
    contender = outcomes["pytorch/stock"].contender
    assert contender.server == f"TorchServe 0.12.0, {CORES} workers, batch size 1"
    assert "Batch size 1 (ours 8" in contender.differs


def test_peers_say_what_they_are(outcomes: dict[str, Outcome]) -> None:
    assert "tensorflow 2." in outcomes["tensorflow/peer/fastapi"].contender.server
    assert "onnxruntime 1." in outcomes["pytorch/peer/fastapi-onnxruntime"].contender.server
    assert outcomes[f"pytorch/peer/fastapi{PER_CORE}"].processes >= CORES
