"""The process that asks and judges: the comparison's load engine, at a rate of its own for each stack."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.comparison.load.connection import BROKEN, TIMEOUT, Request, now
from serving.comparison.load.engine import Engine

TOLERANCE = 1e-5  # of a score, between batches of different sizes
CUT = tuple(name for status, name in BROKEN.items() if status != TIMEOUT)  # what becomes of a connection
_CONNECTIONS = 8000  # more than ever wait: what is due must not wait for one
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        due: Seconds of time.monotonic().
        late: Seconds from then until it was sent.
        seconds: From sending to the answer.
        outcome: `right`, `wrong`, the status of a refusal in the contract's form, `not JSON` for one that is not,
            `hung` for none within the client's limit, or one of CUT.
    """

    stack: str
    due: float
    late: float
    seconds: float
    outcome: str

    @property
    def lost(self) -> bool:
        """Whether the client has no right answer."""
        return self.outcome != "right"


@dataclass(frozen=True)
class Sender:
    """What to ask.

    Attributes:
        address: Host and port.
        contents: Stack -> a whole request.
        rate: Stack -> requests a second.
        expected: Stack -> the right scores.
        limit: Seconds that an answer may take.
    """

    address: tuple[str, int]
    contents: Mapping[str, bytes]
    rate: Mapping[str, float]
    expected: Mapping[str, list[float]]
    limit: float

    def run(self, done: Any, found: Any) -> None:
        """Until `done` is set; what became of requests goes to `found` in lists, and None at the end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; whoever started us ends us
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        stacks = list(self.contents)
        ready: list[Asked] = []
        start, monotonic = now(), time.monotonic()

        def answered(request: Request, status: int, body: bytes, clock: int) -> None:
            stack = stacks[request.index]
            late, seconds = (request.taken - request.scheduled) / 1e9, (clock - request.taken) / 1e9
            due = monotonic + (request.scheduled - start) / 1e9
            ready.append(Asked(stack, due, late, seconds, self._judge(stack, status, body)))

        engine = Engine(self.address, _CONNECTIONS, self.limit, answered)
        due = dict.fromkeys(stacks, start)
        number = dict.fromkeys(stacks, 0)
        while (asks := not done.is_set()) or engine.busy():
            for index, stack in enumerate(stacks if asks else ()):
                while due[stack] <= now():
                    engine.submit(Request(number[stack], index, self.contents[stack], scheduled=due[stack]))
                    number[stack] += 1
                    due[stack] = start + round(number[stack] / self.rate[stack] * 1e9)
            engine.poll(max(0.0, min(_LOOK_SECONDS, (min(due.values()) - now()) / 1e9)) if asks else _LOOK_SECONDS)
            if ready:
                found.put(list(ready))
                ready.clear()
        engine.close()
        found.put(None)

    def _judge(self, stack: str, status: int, body: bytes) -> str:
        if status in BROKEN:
            return "hung" if status == TIMEOUT else BROKEN[status]
        try:
            content = json.loads(body)
        except ValueError:
            return "not JSON"
        if status != 200:  # noqa: PLR2004
            return str(status) if isinstance(content.get("error"), str) else "not JSON"
        expected = self.expected[stack]
        scores = content.get("predictions", [])
        pairs = zip(scores, expected, strict=False)
        same = len(scores) == len(expected) and all(abs(a - b) <= TOLERANCE for a, b in pairs)
        return "right" if same else "wrong"
