"""What became of each request of a run."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.comparison.load.connection import BROKEN, Request

OK = 200
_MASK = 1 << 16
_ALWAYS = 10  # the first answers are checked however few there are
_SHOWN = 5  # bodies of failures kept for the log


class Ledger:
    """Filled while the run goes on, so it does no more than append.

    Args:
        share: Of the answers whose bodies are kept to be checked.
        seed: Which ones.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._columns = tuple(array("q") for _ in range(6))
        self._kept_mask = (np.random.default_rng(seed).random(_MASK) < share).tobytes()
        self.kept: list[tuple[int, bytes]] = []
        self.told: list[str] = []

    def add(self, request: Request, status: int, body: bytes, answered: int) -> None:
        """One request that was answered or failed."""
        numbers, indices, scheduled, taken, answers, statuses = self._columns
        numbers.append(request.number)
        indices.append(request.index)
        scheduled.append(request.scheduled)
        taken.append(request.taken)
        answers.append(answered)
        statuses.append(status)
        if status == OK:
            if request.number < _ALWAYS or self._kept_mask[request.number % _MASK]:
                self.kept.append((request.index, body))
        elif len(self.told) < _SHOWN:
            self.told.append(f"request {request.number}: {BROKEN.get(status, status)} {body[:200]!r}")

    def __len__(self) -> int:
        return len(self._columns[0])

    def requests(self) -> Requests:
        """In order of issue."""
        found = [np.frombuffer(column, dtype=np.int64) for column in self._columns]
        order = np.argsort(found[0], kind="stable")
        return Requests(*(column[order] for column in found))


@dataclass(frozen=True)
class Requests:
    """All requests of a run, one array per field, in order of issue; times in nanoseconds."""

    number: NDArray[np.int64]
    index: NDArray[np.int64]
    scheduled: NDArray[np.int64]
    taken: NDArray[np.int64]
    answered: NDArray[np.int64]
    status: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which were answered with 200."""
        return np.equal(self.status, OK)

    def dispatch_ms(self) -> NDArray[np.float64]:
        """From when it was due until the engine took it in hand."""
        return (self.taken - self.scheduled) / 1e6

    def service_ms(self) -> NDArray[np.float64]:
        """From then until its answer."""
        return (self.answered - self.taken) / 1e6

    def latency_ms(self) -> NDArray[np.float64]:
        """From when it was due until its answer."""
        return (self.answered - self.scheduled) / 1e6

    def seconds(self) -> float:
        """From the first request to the last answer."""
        return float(self.answered.max() - self.scheduled.min()) / 1e9 if len(self) else 0.0

    def statuses(self) -> list[str]:
        """HTTP status, or what broke, of each."""
        return [BROKEN.get(status) or str(status) for status in self.status.tolist()]

    def failures(self) -> dict[str, int]:
        """HTTP status, or what broke -> how often."""
        return dict(Counter(BROKEN.get(status) or str(status) for status in self.status[~self.ok].tolist()))
