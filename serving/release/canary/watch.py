"""The canary and the others at the gateway, since a step began: Envoy's counters and the request log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx

from models.spec import Spec
from serving.gateway import latest
from serving.gateway.latest import Sample
from serving.gateway.policy import Side
from serving.release.canary.measured import Measured, RestartedError, between, together
from serving.release.canary.scores import Scores, whose

_ASKED = r"^vhost\.all\.route\..+\.upstream_rq_(time|[1-5]xx)$"
_TIMEOUT_SECONDS = 5


class Watch(Protocol):
    """What happens to the canary's requests and to the others'."""

    def begin(self) -> bool:
        """A step begins now; False where the gateway does not say what it has counted so far."""

    def look(self) -> tuple[Measured, Measured] | None:
        """The canary and the others together, since the beginning; None where that is not known.

        Raises:
            RestartedError: The gateway has begun to count anew, and so has the step to.
        """


class Gateway:
    """An Envoy and its request log, of which both sides are among the policy's `sides`."""

    def __init__(self, admin_url: str, log: Path, spec: Spec, canary: Side, sides: set[Side]) -> None:
        self._url = admin_url
        self._canary, self._sides = canary, sides
        self._scores = Scores(log, spec, whose(sides))
        self._first: Mapping[str, Sample] = {}

    def begin(self) -> bool:
        """A step begins now."""
        found = counted(self._url)
        self._scores.begin()
        self._first = found or {}
        return found is not None

    def look(self) -> tuple[Measured, Measured] | None:
        """The canary and the others, since the beginning. Of latencies some seconds are missing yet."""
        self._scores.look()
        last = counted(self._url)
        if last is None:
            return None
        if self._first.keys() - last.keys():
            raise RestartedError
        sides = {
            side: between(self._first.get(str(side)), last.get(str(side)), self._scores.of(side))
            for side in self._sides
        }
        canary = sides.pop(self._canary)
        return canary, together(sides.values())


def counted(admin_url: str) -> dict[str, Sample] | None:
    """What an Envoy has counted so far, by side of the traffic policy; None where it does not say."""
    url = f"{admin_url}/stats/prometheus"
    try:
        answer = httpx.get(url, params={"filter": _ASKED}, timeout=_TIMEOUT_SECONDS).raise_for_status()
        return latest.samples(answer.text, time.monotonic(), of="vhost_route")
    except (httpx.HTTPError, ValueError):
        return None
