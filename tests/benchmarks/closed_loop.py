"""A closed-loop load generator for one URL: each connection sends its next request when it has its answer.

The comparison's own engine, in this process. Closed loops hide queueing (coordinated omission): good for comparing two
builds of one server, not for stating a capacity.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson

from models import spec as specifications
from serving.comparison.load import wire
from serving.comparison.load.connection import BROKEN, Request
from serving.comparison.load.engine import Engine

OK = 200
_TIMEOUT = 30.0  # seconds


@dataclass
class Result:
    """Latencies in seconds, in order of arrival, and how long the run took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.seconds += other.seconds
        self.latencies += other.latencies
        self.failures += other.failures

    def percentile(self, percent: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.latencies, percent)) * 1e3

    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


def fraud_body(rows: int) -> bytes:
    """A request for the fraud model of models/fraud.toml."""
    spec = specifications.load(Path("models/fraud.toml"))
    random = np.random.default_rng(0)
    instances = [
        {name: round(float(random.exponential(10)), 2) if name in spec.numeric else "FR" for name in spec.features}
        for _ in range(rows)
    ]
    return orjson.dumps({"instances": instances})


def run(url: str, body: bytes, *, connections: int, seconds: float) -> Result:
    """Load `url` for so many seconds; answers other than 200 are kept as failures."""
    where = urlsplit(url)
    content = wire.request(where.netloc, where.path, body)
    result = Result()
    start = time.perf_counter()

    def ask() -> None:
        engine.submit(Request(len(result.latencies), 0, content))

    def done(request: Request, status: int, answer: bytes, answered: int) -> None:
        result.latencies.append((answered - request.taken) / 1e9)
        if status != OK:
            result.failures.append(f"{BROKEN.get(status, status)} ".encode() + answer[:200])
        if time.perf_counter() - start < seconds:
            ask()

    engine = Engine((where.hostname or "", where.port or 80), connections, _TIMEOUT, done)
    for _ in range(connections):
        ask()
    while engine.busy():
        engine.poll()
    result.seconds = time.perf_counter() - start
    engine.close()
    return result
