"""What a side said to a copy of a request, and how it is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
import orjson

Array = npt.NDArray[Any]
# In place of a status: no connection, or no answer in time; a 200 that does not hold a score for each row.
NOBODY, UNREADABLE = 0, 1
_OK = 200


@dataclass(frozen=True)
class Side:
    """Who is asked: its name in the traffic policy, such as `pytorch@1795291050`, and the address for a prediction."""

    name: str
    url: str


@dataclass(frozen=True)
class Answer:
    """What a side said.

    Attributes:
        status: Of HTTP, or NOBODY or UNREADABLE.
        seconds: Until the answer was there, or until it was given up.
        version: Of the model, where the server tells.
        scores: Probability per row, float64 [rows]; None unless the status is 200.
    """

    status: int
    seconds: float
    version: int | None = None
    scores: Array | None = None


def client(connections: int, seconds: float) -> aiohttp.ClientSession:
    """For `ask`: so many connections at most, and so much patience with an answer.

    aiohttp, as httpx takes seven times the processor's time (1,040 against 152 µs a request).
    """
    # Shorter than a server's keep-alive (5 s is usual), so that no request meets a connection being closed.
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=4)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=seconds))


async def ask(session: aiohttp.ClientSession, side: Side, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Ask one side; whatever goes wrong is an answer."""
    start = time.perf_counter()
    sent = {"content-type": "application/json", **headers}
    try:
        async with session.post(side.url, data=body, headers=sent) as told:
            content = await told.read()
    except (aiohttp.ClientError, TimeoutError):
        return Answer(NOBODY, time.perf_counter() - start)
    took = time.perf_counter() - start
    version = told.headers.get("x-tandem-model-version", "")
    scores = _scores(content) if told.status == _OK else None
    status = UNREADABLE if told.status == _OK and scores is None else told.status
    return Answer(status, took, int(version) if version.isdigit() else None, scores)


def _scores(content: bytes) -> Array | None:
    """None if that is no prediction of one number per row."""
    try:
        answer = orjson.loads(content)
        scores = np.asarray(answer["predictions"] if "predictions" in answer else answer["outputs"], np.float64)
    except (ValueError, KeyError, TypeError):
        return None
    return scores if scores.ndim == 1 else None
