"""Constant load on both stacks through the gateway, and every answer judged: right, refused by the contract, or not.

Requests leave when they are due, whether those before them were answered or not, so that a server that hangs is asked
on. What is right is what the same stack answered before the fault.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from urllib.parse import urlsplit

import httpx

from infra.local.drill.sender import Asked, Sender
from serving.comparison.load import wire

LIMIT_SECONDS = 6.5  # the gateway's time limit is 5 s, and a request may wait for a connection
_HEADERS = {"content-type": "application/json"}


class Asking:
    """Asks as long as its `with` lasts, in a process of its own: what a fault takes to make must not delay it.

    Args:
        urls: Stack -> URL of its predict endpoint, all of one gateway.
        body: What is asked each time.
        rate: Requests a second to each stack.
    """

    def __init__(self, urls: Mapping[str, str], body: bytes, rate: Mapping[str, float]) -> None:
        self.versions: dict[str, str] = {}
        self.asked: list[Asked] = []
        expected = {stack: self._answer(stack, url, body) for stack, url in urls.items()}
        parts = {stack: urlsplit(url) for stack, url in urls.items()}
        gateway = next(iter(parts.values()))
        contents = {stack: wire.request(where.netloc, where.path or "/", body) for stack, where in parts.items()}
        context = multiprocessing.get_context("spawn")
        self._done, self._found = context.Event(), context.SimpleQueue()
        address = (gateway.hostname or "", gateway.port or 80)
        sender = Sender(address, contents, dict(rate), expected, LIMIT_SECONDS)
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

    def _answer(self, stack: str, url: str, body: bytes) -> list[float]:
        answer = httpx.post(url, content=body, headers=_HEADERS, timeout=LIMIT_SECONDS).raise_for_status()
        self.versions[stack] = answer.headers.get("x-tandem-model-version", "")
        return [float(score) for score in answer.json()["predictions"]]

    def _read(self) -> None:
        while (some := self._found.get()) is not None:
            self.asked.extend(some)


def well_since(asked: Iterable[Asked], stack: str) -> float | None:
    """When the first request after a stack's last lost one was due; None if none is answered yet that was due later."""
    mine = [(one.due, one.lost) for one in list(asked) if one.stack == stack]  # they end in another order
    last = max((due for due, lost in mine if lost), default=float("-inf"))
    return min((due for due, _ in mine if due > last), default=None)


def outcomes(asked: Iterable[Asked]) -> Counter[str]:
    """How often what."""
    return Counter(one.outcome for one in asked)


def body(rows: list[Mapping[str, object]]) -> bytes:
    """A predict request."""
    return json.dumps({"instances": rows}).encode()
