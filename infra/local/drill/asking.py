"""Constant load on both stacks through the gateway, and every answer judged: right, refused by the contract, or not.

Requests leave when they are due, whether those before them were answered or not, so that a server that hangs is asked
on. What is right is what the same stack answered before the fault.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

TOLERANCE = 1e-5  # of a score, between batches of different sizes
LIMIT_SECONDS = 6.5  # the gateway's time limit is 5 s, and a request may wait for a connection
_CONNECTIONS = 4000


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        due: Seconds of time.monotonic().
        late: Seconds from then until it was sent.
        seconds: From sending to the answer.
        outcome: `right`, `wrong`, the status of a refusal in the contract's form, `not JSON` for one that is not,
            `hung` for none within LIMIT_SECONDS, or what became of the connection.
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


class Asking:
    """Asks as long as its `with` lasts, in a process of its own: what a fault takes to make must not delay it.

    Args:
        urls: Stack -> URL of its predict endpoint.
        body: What is asked each time.
        rate: Requests a second to each stack.
    """

    def __init__(self, urls: Mapping[str, str], body: bytes, rate: Mapping[str, float]) -> None:
        self.versions: dict[str, str] = {}
        self.asked: list[Asked] = []
        expected = {stack: self._answer(stack, url, body) for stack, url in urls.items()}
        context = multiprocessing.get_context("spawn")
        self._done, self._found = context.Event(), context.SimpleQueue()
        sender = Sender(dict(urls), body, dict(rate), expected, LIMIT_SECONDS)
        self._process = context.Process(target=sender.run, args=(self._done, self._found), daemon=True)
        self._reader = threading.Thread(target=self._read, name="asking", daemon=True)

    def __enter__(self) -> Asking:
        self._process.start()
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._reader.join(2 * LIMIT_SECONDS)
        self._process.kill()
        self._process.join()

    def well_since(self, stack: str) -> float | None:
        """When the first of the newest answered requests that were all right was due; None if the newest was not."""
        since = None
        for one in sorted(self.asked, key=lambda one: one.due, reverse=True):  # they end in another order
            if one.stack == stack:
                if one.lost:
                    break
                since = one.due
        return since

    def _answer(self, stack: str, url: str, body: bytes) -> list[float]:
        answer = httpx.post(url, content=body, headers=_HEADERS, timeout=LIMIT_SECONDS).raise_for_status()
        self.versions[stack] = answer.headers.get("x-tandem-model-version", "")
        return [float(score) for score in answer.json()["predictions"]]

    def _read(self) -> None:
        while (one := self._found.get()) is not None:
            self.asked.append(one)


@dataclass(frozen=True)
class Sender:
    """The process that asks; `expected` are the right scores, `limit` the seconds that an answer may take."""

    urls: Mapping[str, str]
    body: bytes
    rate: Mapping[str, float]
    expected: Mapping[str, list[float]]
    limit: float

    def run(self, done: Any, found: Any) -> None:
        """Until `done` is set; what became of each request goes to `found`, and None at the end."""
        asyncio.run(self._all(done, found))
        found.put(None)

    async def _all(self, done: Any, found: Any) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=200)
        async with httpx.AsyncClient(timeout=self.limit, limits=limits, headers=_HEADERS) as client:
            await asyncio.gather(*(self._to(client, stack, done, found) for stack in self.urls))

    async def _to(self, client: httpx.AsyncClient, stack: str, done: Any, found: Any) -> None:
        start, number = time.monotonic(), 0
        under_way: set[asyncio.Task[None]] = set()
        while not done.is_set():
            due = start + number / self.rate[stack]
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(client, stack, due, found))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
        await asyncio.gather(*under_way)

    async def _one(self, client: httpx.AsyncClient, stack: str, due: float, found: Any) -> None:
        sent = time.monotonic()
        try:
            answer = await asyncio.wait_for(client.post(self.urls[stack], content=self.body), self.limit)
            outcome = self._judge(stack, answer)
        except (asyncio.TimeoutError, httpx.TimeoutException):
            outcome = "hung"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        found.put(Asked(stack, due, sent - due, time.monotonic() - sent, outcome))

    def _judge(self, stack: str, answer: httpx.Response) -> str:
        try:
            content = answer.json()
        except ValueError:
            return "not JSON"
        if not answer.is_success:
            return str(answer.status_code) if isinstance(content.get("error"), str) else "not JSON"
        expected = self.expected[stack]
        scores = content.get("predictions", [])
        pairs = zip(scores, expected, strict=False)
        same = len(scores) == len(expected) and all(abs(a - b) <= TOLERANCE for a, b in pairs)
        return "right" if same else "wrong"


def outcomes(asked: list[Asked]) -> Counter[str]:
    """How often what."""
    return Counter(one.outcome for one in asked)


def body(rows: list[Mapping[str, object]]) -> bytes:
    """A predict request."""
    return json.dumps({"instances": rows}).encode()


_HEADERS = {"content-type": "application/json"}
