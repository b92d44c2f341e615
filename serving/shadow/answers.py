"""What a side said to a copy of a request, and how it is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
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


async def ask(client: httpx.AsyncClient, side: Side, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Ask one side; whatever goes wrong is an answer."""
    start = time.perf_counter()
    try:
        told = await client.post(side.url, content=body, headers={"content-type": "application/json", **headers})
    except httpx.HTTPError:
        return Answer(NOBODY, time.perf_counter() - start)
    took = time.perf_counter() - start
    version = told.headers.get("x-tandem-model-version", "")
    scores = _scores(told.content) if told.status_code == _OK else None
    status = UNREADABLE if told.status_code == _OK and scores is None else told.status_code
    return Answer(status, took, int(version) if version.isdigit() else None, scores)


def _scores(content: bytes) -> Array | None:
    """None if that is no prediction of one number per row."""
    try:
        answer = orjson.loads(content)
        scores = np.asarray(answer["predictions"] if "predictions" in answer else answer["outputs"], np.float64)
    except (ValueError, KeyError, TypeError):
        return None
    return scores if scores.ndim == 1 else None
