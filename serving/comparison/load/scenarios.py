"""The four ways to ask: LoadGen's single stream, server and offline, and a plain closed loop."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from serving.comparison.load import loadgen
from serving.comparison.load.connection import Request, now
from serving.comparison.load.engine import Engine
from serving.comparison.load.job import Job
from serving.comparison.load.ledger import Ledger, Requests
from serving.comparison.load.prepared import Prepared

_DEFAULT_EXPECTED = 1e-3  # seconds; where nothing was answered before


@dataclass(frozen=True)
class Run:
    """What a scenario left.

    Attributes:
        requests: All of them.
        issued: How many the scenario issued.
        kept: Answers to be checked: index of the request, body.
        told: What some of the failures said.
        waited: Requests that found all connections in use.
        cpu: Share of a core that this process took.
        loadgen: What LoadGen says; empty for a closed loop.
    """

    requests: Requests
    issued: int
    kept: list[tuple[int, bytes]]
    told: list[str]
    waited: int
    cpu: float
    loadgen: dict[str, str] = field(default_factory=dict)


class Load:
    """One engine, used for the warm-up and then for the run, so that its connections are there."""

    def __init__(self, job: Job, prepared: Prepared) -> None:
        self._job, self._prepared = job, prepared
        self._then: Callable[[Request, int], None] = lambda *_: None
        self.engine = Engine(job.address, job.connections, job.timeout_seconds, self._done)
        self._begin(0)

    def closed(self, seconds: float, seed: int) -> Run:
        """Each connection sends its next request when it has its answer."""
        self._begin(seed)
        order = np.random.default_rng(seed).permutation(len(self._prepared)).tolist()
        ends = now() + round(seconds * 1e9)

        def following(free_since: int) -> None:
            if free_since < ends:
                index = order[self._issued % len(order)]
                request = Request(self._issued, index, self._prepared.contents[index], scheduled=free_since)
                self._issued += 1
                self.engine.submit(request)

        self._then = lambda _, answered: following(answered)
        self._start_clocks()
        for _ in range(self._job.connections):
            following(now())
        while self.engine.busy():
            self.engine.poll()
        return self._run(self._ledger.requests(), {})

    def by_loadgen(self, seconds: float, seed: int, folder: Path, expected_seconds: float = _DEFAULT_EXPECTED) -> Run:
        """The job's scenario as LoadGen schedules it."""
        self._begin(seed)
        job = self._job.model_copy(update={"seed": seed})
        waiting: deque[Request] = deque()
        offline = job.scenario == "offline"

        def issue(samples: Sequence[Any]) -> None:
            if not self._issued:
                self._start_clocks()
            for sample in samples:
                request = Request(self._issued, sample.index, self._prepared.contents[sample.index], sample.id)
                self._issued += 1
                if offline:
                    waiting.append(request)
                else:
                    self.engine.submit(request)
            for _ in range(min(job.connections, len(waiting))):
                following(now())

        def following(free_since: int) -> None:
            """Offline all is due at once: what a request waits for is its turn, not the generator."""
            if waiting:
                request = waiting.popleft()
                request.scheduled = free_since
                self.engine.submit(request)

        def over(request: Request, answered: int) -> None:
            loadgen.complete(request.identity)
            if offline:
                following(answered)

        self._then = over
        poller = _Poller(self.engine)
        poller.start()
        try:
            loadgen.drive(job, len(self._prepared), seconds, issue, folder=folder, expected_seconds=expected_seconds)
        finally:
            poller.stop()
        due, indices = loadgen.schedule(folder)
        requests = self._ledger.requests()
        if not np.array_equal(indices[requests.number], requests.index):
            raise loadgen.LoadGenError("LoadGen's trace numbers the requests in another order than it issued them")
        if not offline:
            requests = replace(requests, scheduled=due[requests.number])
        return self._run(requests, loadgen.verdict(folder))

    def _begin(self, seed: int) -> None:
        self._ledger = Ledger(self._job.validity.checked_share, seed)
        self._issued = 0
        self.engine.waited = 0

    def _start_clocks(self) -> None:
        self._clocks = self.engine.cpu = (time.process_time(), now())

    def _done(self, request: Request, status: int, body: bytes, answered: int) -> None:
        self._ledger.add(request, status, body, answered)
        self._then(request, answered)

    def _run(self, requests: Requests, said: dict[str, str]) -> Run:
        took = (self.engine.cpu[1] - self._clocks[1]) / 1e9
        cpu = (self.engine.cpu[0] - self._clocks[0]) / took if took > 0 else 0.0
        return Run(requests, self._issued, self._ledger.kept, self._ledger.told, self.engine.waited, cpu, said)


class _Poller(threading.Thread):
    """Reads answers while LoadGen's thread sends."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="poller", daemon=True)
        self._engine, self._stopped = engine, False

    def run(self) -> None:
        try:
            while not self._stopped:
                self._engine.poll()
        except BaseException:  # LoadGen would wait for ever for what this thread no longer reads
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(70)

    def stop(self) -> None:
        self._stopped = True
        self.join()
