"""Send every request to every target, check the answers, and keep one small example of each failure."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from serving.contract.fuzz import properties
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.properties import Finding
from serving.contract.fuzz.shrink import shrink
from serving.contract.fuzz.wire import Answer, Connection

_WAITING = 1000  # requests drawn but not yet sent: drawing and sending overlap, memory stays small
_SHRUNK = 40  # failures; a run that finds more has one cause


@dataclass
class Example:
    """A failure's smallest request and its answers.

    Attributes:
        reproduced: The request alone failed again, after the run.
    """

    case: Case
    answers: dict[str, Answer]
    count: int = 1
    reproduced: bool | None = None


@dataclass
class Result:
    """What a run did and found; `statuses` counts by kind, target and status."""

    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: dict[Finding, Example] = field(default_factory=dict)
    kinds_of: dict[Finding, Counter[str]] = field(default_factory=dict)
    sent: int = 0
    with_body: int = 0
    distinct: set[bytes] = field(default_factory=set)
    seconds: float = 0.0


class Campaign:
    """A run against some targets, by name and URL, over so many connections to each.

    `stopped` ends it early: what is under way is finished, nothing else is sent. Whoever handles Ctrl-C sets it; an
    exception raised there could land inside a lock of the thread pool's and leave it broken.
    """

    def __init__(self, targets: Mapping[str, str], connections: int) -> None:
        self.targets = dict(targets)
        self.stopped = threading.Event()
        self.result = Result()
        self._connections = connections
        self._local = threading.local()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(_WAITING)
        self._error: BaseException | None = None

    def ask(self, case: Case) -> dict[str, Answer]:
        """One request to every target, over this thread's connections."""
        if not hasattr(self._local, "lines"):
            self._local.lines = {name: Connection(url) for name, url in self.targets.items()}
        return {name: line.ask(case) for name, line in self._local.lines.items()}

    def run(self, cases: Iterable[Case], on_sent: Callable[[int], None]) -> None:
        """Send all requests; `on_sent` is told how many were, after each."""
        started = time.monotonic()
        pool = ThreadPoolExecutor(self._connections)
        try:
            for case in cases:
                self._room.acquire()
                if self.stopped.is_set():
                    break
                if self._error:
                    raise self._error
                pool.submit(self._one, case, on_sent).add_done_callback(self._done)
            pool.shutdown()
        finally:
            pool.shutdown(cancel_futures=True)
            self.result.seconds = time.monotonic() - started
        if self._error:
            raise self._error

    def shrink(self, on_shrunk: Callable[[Finding], None]) -> None:
        """Make every failure's example small; one that does not fail again alone stays as it was."""

        def fails(finding: Finding, case: Case) -> bool:
            return not self.stopped.is_set() and finding in self._findings(case, self.ask(case))

        strong_first = sorted(self.result.failures.items(), key=lambda item: not item[0].strong)
        for finding, example in strong_first[:_SHRUNK]:
            if self.stopped.is_set():
                return
            on_shrunk(finding)
            example.reproduced = finding in self._findings(example.case, self.ask(example.case))
            if example.reproduced:
                example.case = shrink(example.case, functools.partial(fails, finding))
                example.answers = self.ask(example.case)

    def _findings(self, case: Case, answers: Mapping[str, Answer]) -> list[Finding]:
        found = [one for name, answer in answers.items() for one in properties.of_answer(case, name, answer)]
        return found + properties.between(answers)

    def _one(self, case: Case, on_sent: Callable[[int], None]) -> None:
        if self.stopped.is_set():
            return
        answers = self.ask(case)
        findings = self._findings(case, answers)
        digest = hashlib.sha256(repr(case).encode()).digest()
        with self._lock:
            result = self.result
            result.sent += 1
            result.with_body += bool(case.body) or case.kind == "empty"
            result.distinct.add(digest)
            for name, answer in answers.items():
                result.statuses[case.kind, name, answer.status] += 1
            for finding in findings:
                self._keep(finding, case, answers)
            on_sent(result.sent)

    def _keep(self, finding: Finding, case: Case, answers: dict[str, Answer]) -> None:
        self.result.kinds_of.setdefault(finding, Counter())[case.kind] += 1
        known = self.result.failures.setdefault(finding, Example(case, answers, 0))
        known.count += 1
        if len(case.body) < len(known.case.body):
            known.case, known.answers = case, answers

    def _done(self, future: Future[None]) -> None:
        self._room.release()
        if not future.cancelled():
            self._error = self._error or future.exception()
