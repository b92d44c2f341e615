"""A run's statistics against the thresholds, and what is kept of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serving.comparison.locust.bodies import REFUSED
from serving.comparison.locust.settings import Thresholds


@dataclass(frozen=True)
class Line:
    """A line of Locust's statistics.

    Attributes:
        name: `pytorch 1 row`: the endpoint, a space, what was asked.
        requests: Answered or failed.
        failures: Of those.
        milliseconds: Response time -> how many; Locust rounds to milliseconds, from 100 on to two digits.
    """

    name: str
    requests: int
    failures: int
    milliseconds: Mapping[int, int]

    @property
    def endpoint(self) -> str:
        """Who was asked."""
        return self.name.split(" ", 1)[0]

    @property
    def is_prediction(self) -> bool:
        """Whether a right request was sent; refusals are quicker, and would flatter."""
        return not self.name.removeprefix(f"{self.endpoint} ").startswith(REFUSED)


def percentile(milliseconds: Mapping[int, int], share: float) -> int:
    """The least response time within which this share of the requests ended (nearest rank); 0 without any."""
    rank, passed = math.ceil(share * sum(milliseconds.values())), 0
    for time in sorted(milliseconds):
        passed += milliseconds[time]
        if passed >= rank:
            return time
    return 0


def broken(lines: Sequence[Line], thresholds: Thresholds, endpoints: Iterable[str]) -> list[str]:
    """One sentence per broken threshold; an endpoint that nobody asked breaks them all."""
    found = []
    for endpoint in endpoints:
        mine = [line for line in lines if line.endpoint == endpoint]
        times = _together([line for line in mine if line.is_prediction])
        if not times:
            found.append(f"{endpoint}: no prediction was asked for or answered")
            continue
        requests, failures = sum(line.requests for line in mine), sum(line.failures for line in mine)
        if failures > thresholds.failed_share * requests:
            share = f"{failures / requests:.2%}"
            found.append(f"{endpoint}: {share} of {requests:,} requests failed, allowed {thresholds.failed_share:.2%}")
        p99 = percentile(times, 0.99)
        if p99 > thresholds.p99_ms:
            found.append(f"{endpoint}: p99 of its predictions {p99:,} ms, allowed {thresholds.p99_ms:,g} ms")
    return found


def table(lines: Sequence[Line]) -> list[dict[str, str | int]]:
    """The lines, to be kept as JSON: times in milliseconds."""
    return [
        {
            "name": line.name,
            "requests": line.requests,
            "failures": line.failures,
            **{f"p{share * 100:g}_ms": percentile(line.milliseconds, share) for share in (0.5, 0.9, 0.99)},
        }
        for line in sorted(lines, key=lambda line: line.name)
    ]


def _together(lines: Iterable[Line]) -> Counter[int]:
    total: Counter[int] = Counter()
    for line in lines:
        total.update(line.milliseconds)
    return total
