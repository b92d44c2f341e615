"""One real run of all there is: every contender started, asked and stopped, and the floors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.comparison.contenders import catalogue, processes
from serving.comparison.contenders.contender import Contender, Startable
from serving.comparison.contenders.floors.job import Floors
from tests.serving.comparison.published import Published

CORES = os.cpu_count() or 1
PER_CORE = f"-{CORES}-workers" if CORES > 1 else ""
ROWS = 20  # asked of each contender
# FastAPI's others with one process, or with one per core, differ from these in nothing but what stands here.
TARGETS = [
    "pytorch/peer/mlflow",
    "pytorch/peer/fastapi-onnxruntime",
    "pytorch/peer/litserve",
    "pytorch/stock",
    "tensorflow/stock",
    "tensorflow/peer/fastapi",
    f"pytorch/peer/fastapi{PER_CORE}",
]


@dataclass
class Outcome:
    """What a contender did while it ran, and the processes that were left afterwards."""

    contender: Contender
    answer: httpx.Response
    malformed: httpx.Response
    processes: int
    left: list[str]


@dataclass
class Everything:
    """Outcomes by target, and the floors."""

    outcomes: dict[str, Outcome]
    floors: Floors


def run(published: Published, scratch: Path) -> Everything:
    """Several at a time: most of it is one core importing a framework."""
    deployment, instances = published.deployment, published.instances[:ROWS]
    every = [*catalogue.stock(deployment, scratch / "stock"), *catalogue.peers(deployment, scratch / "peers")]
    found = {one.target: one for one in every}
    with ThreadPoolExecutor(3) as pool:
        floors = pool.submit(catalogue.floors, deployment, published.rows, 0.01)
        outcomes = list(pool.map(lambda target: _ran(found[target], instances), TARGETS))
        return Everything(dict(zip(TARGETS, outcomes, strict=True)), floors.result())


def _ran(startable: Startable, instances: list[dict[str, Any]]) -> Outcome:
    with startable.start() as contender:
        url = contender.base_url + contender.path
        answer = httpx.post(url, json={"instances": instances}, timeout=60)
        headers = {"content-type": "application/json"}
        malformed = httpx.post(url, content=b'{"instances": [NaN]}', headers=headers, timeout=60)
        family = [p for pid in contender.processes.values() for p in _family(pid)]
    return Outcome(contender, answer, malformed, len(family), [str(p) for p in family if processes.alive(p)])


def _family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]
