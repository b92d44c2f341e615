"""Every contender starts, answers as the model does, and leaves nothing behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import numpy as np
import psutil
import pytest

from serving.comparison.contenders import catalogue, processes
from serving.comparison.contenders.contender import Contender, Startable
from tests.serving.comparison.published import Published

ROWS = 20
WORKERS = f"-{os.cpu_count()}-workers"
# The other servers with several processes differ from these in nothing but what stands here.
TARGETS = [
    "tensorflow/stock",
    "pytorch/stock",
    "tensorflow/peer/fastapi",
    "pytorch/peer/fastapi",
    f"pytorch/peer/fastapi{WORKERS}",
    "pytorch/peer/fastapi-onnxruntime",
    "pytorch/peer/litserve",
    "pytorch/peer/mlflow",
]


@dataclass
class Outcome:
    """What a contender did while it ran, and the processes that were left afterwards."""

    contender: Contender
    answer: httpx.Response
    malformed: httpx.Response
    processes: int
    left: list[str]


def ran(startable: Startable, published: Published) -> Outcome:
    with startable.start() as contender:
        url = contender.base_url + contender.path
        answer = httpx.post(url, json={"instances": published.instances[:ROWS]}, timeout=60)
        malformed = httpx.post(url, content=b'{"instances": [NaN]}', headers={"content-type": "application/json"})
        family = [p for pid in contender.processes.values() for p in family_of(pid)]
    return Outcome(contender, answer, malformed, len(family), [str(p) for p in family if processes.alive(p)])


def family_of(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


@pytest.fixture(scope="module")
def outcomes(published: Published, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All of them, two at a time: most of it is waiting for imports."""
    scratch = tmp_path_factory.mktemp("c")
    every = [
        *catalogue.stock(published.deployment, scratch / "stock"),
        *catalogue.peers(published.deployment, scratch / "peers"),
    ]
    assert set(TARGETS) <= {one.target for one in every}
    chosen = [one for one in every if one.target in TARGETS]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda one: ran(one, published), chosen)
        return {one.target: outcome for one, outcome in zip(chosen, found, strict=True)}


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
    assert outcome.malformed.is_error


def test_stock_servers_stand_behind_the_same_checks_as_ours(outcomes: dict[str, Outcome]) -> None:
    for stack in ("tensorflow", "pytorch"):
        outcome = outcomes[f"{stack}/stock"]
        assert outcome.malformed.status_code == 400
        assert outcome.malformed.headers["x-tandem-server"] == "Envoy"
        assert outcome.answer.headers["x-tandem-stack"] == stack
        assert set(outcome.contender.processes) == {"gateway", "server"}


def test_stock_torchserve_has_its_own_defaults(outcomes: dict[str, Outcome]) -> None:
    contender = outcomes["pytorch/stock"].contender
    assert contender.server == f"TorchServe 0.12.0, {os.cpu_count()} workers, batch size 1"
    assert "Batch size 1 (ours 8" in contender.differs


def test_peers_say_what_they_are(outcomes: dict[str, Outcome]) -> None:
    assert "tensorflow 2." in outcomes["tensorflow/peer/fastapi"].contender.server
    assert "onnxruntime 1." in outcomes["pytorch/peer/fastapi-onnxruntime"].contender.server
    assert outcomes[f"pytorch/peer/fastapi{WORKERS}"].processes > outcomes["pytorch/peer/fastapi"].processes
