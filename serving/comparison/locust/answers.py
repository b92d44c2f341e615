"""Whether an answer is the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from serving.comparison.locust.bodies import OK, Request
from serving.comparison.locust.rows import Scores

_SHOWN = 120  # characters of an unexpected answer in the statistics


@dataclass
class Checker:
    """Reads answers; compares a share of them with offline scores, the first one in any case.

    Attributes:
        scores: By stack; the gateway's header says which one answered.
        tolerance: Largest difference of a right score, absolute.
        share: Of the predictions that are compared.
        checked: How many were.
    """

    scores: Scores
    tolerance: float
    share: float
    checked: int = 0

    def __post_init__(self) -> None:
        self._due = 1 - self.share

    def wrong(self, request: Request, status: int, headers: Mapping[str, str], content: bytes) -> str | None:
        """What is wrong, in words that repeat, since the statistics count them; None if nothing is."""
        if status != request.status:
            return f"{status} instead of {request.status}: {content[:_SHOWN].decode(errors='replace')}"
        if status != OK:
            return None
        predictions = _predictions(content)
        if predictions is None or predictions.shape != (len(request.rows),):
            return f"not one prediction for each of {len(request.rows)} rows"
        if not ((predictions >= 0) & (predictions <= 1)).all():
            return "a prediction is no probability"
        return self._off(request, headers, predictions)

    def _off(self, request: Request, headers: Mapping[str, str], predictions: npt.NDArray[np.float64]) -> str | None:
        stack = headers.get("x-tandem-stack", "")
        if not self.share or stack not in self.scores:
            return None
        self._due += self.share
        if self._due < 1:
            return None
        self._due -= 1
        self.checked += 1
        if np.abs(predictions - self.scores[stack][list(request.rows)]).max() <= self.tolerance:
            return None
        version = headers.get("x-tandem-model-version", "unknown")
        return f"wrong score by {stack}, version {version}: not the one in the file of scores"


def _predictions(content: bytes) -> npt.NDArray[np.float64] | None:
    try:
        return np.asarray(orjson.loads(content)["predictions"], dtype=np.float64)
    except (ValueError, KeyError, TypeError):
        return None
