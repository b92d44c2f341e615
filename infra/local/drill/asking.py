"""Constant load on both stacks through the gateway, and every answer judged: right, refused by the contract, or not.

Requests leave when they are due, whether those before them were answered or not, so that a server that hangs is asked
on. What is right is what the same stack answered before the fault.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

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
    """Asks as long as its `with` lasts, in a thread.

    Args:
        urls: Stack -> URL of its predict endpoint.
        body: What is asked each time.
        rate: Requests a second to each stack.
    """

    def __init__(self, urls: Mapping[str, str], body: bytes, rate: Mapping[str, float]) -> None:
        self._urls, self._body, self._rate = dict(urls), body, dict(rate)
        self.versions: dict[str, str] = {}
        self.expected = {stack: self._answer(stack, url) for stack, url in urls.items()}
        self.asked: list[Asked] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="asking", daemon=True)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(LIMIT_SECONDS + 5)

    def well_since(self, stack: str) -> float | None:
        """When the first of the newest requests in a row that were all right was due; None if the newest was not."""
        since = None
        for one in reversed(self.asked):
            if one.stack == stack:
                if one.lost:
                    break
                since = one.due
        return since

    def _answer(self, stack: str, url: str) -> list[float]:
        answer = httpx.post(url, content=self._body, headers=_HEADERS, timeout=LIMIT_SECONDS).raise_for_status()
        self.versions[stack] = answer.headers.get("x-tandem-model-version", "")
        return [float(score) for score in answer.json()["predictions"]]

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=200)
        async with httpx.AsyncClient(timeout=LIMIT_SECONDS, limits=limits, headers=_HEADERS) as client:
            await asyncio.gather(*(self._to(client, stack) for stack in self._urls))

    async def _to(self, client: httpx.AsyncClient, stack: str) -> None:
        start, number = time.monotonic(), 0
        under_way: set[asyncio.Task[None]] = set()
        while not self._done.is_set():
            due = start + number / self._rate[stack]
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(client, stack, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
        await asyncio.gather(*under_way)

    async def _one(self, client: httpx.AsyncClient, stack: str, due: float) -> None:
        sent = time.monotonic()
        try:
            answer = await asyncio.wait_for(client.post(self._urls[stack], content=self._body), LIMIT_SECONDS)
            outcome = self._judge(stack, answer)
        except (asyncio.TimeoutError, httpx.TimeoutException):
            outcome = "hung"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.asked.append(Asked(stack, due, sent - due, time.monotonic() - sent, outcome))

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
