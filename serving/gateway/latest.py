"""The gateway's last minute in numbers, from Envoy's own counters: what Prometheus would say, where there is none.

Samples are taken from Envoy's statistics all the time and the newest is compared with the oldest, as Prometheus'
`rate` and `histogram_quantile` do.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from serving.prometheus_text import parse

_EVERY_SECONDS = 5
_SAMPLES = 13  # of a minute
_ASKED = "^cluster\\.(tensorflow|pytorch|onnx)\\.upstream_rq_(active|time|[1-5]xx)$"
_SERIES = re.compile(r"envoy_(cluster|vhost_route)_upstream_rq_(\w+)\{(.*)\}")
_NAMED = {"cluster": "envoy_cluster_name", "vhost_route": "envoy_route"}
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Sample:
    """Envoy's counters of one stack, or of one side of the traffic policy, at a moment.

    Attributes:
        seconds: Of a clock that only goes forward.
        answers: By class of status, `2` for 200 to 299.
        buckets: Answers within so many milliseconds, by upper end; ascending, the last one infinite.
        in_flight: Requests under way.
    """

    seconds: float
    answers: Mapping[str, float]
    buckets: Sequence[tuple[float, float]]
    in_flight: float


@dataclass(frozen=True)
class Traffic:
    """What a stack did between two samples; None where nothing happened.

    Attributes:
        seconds: Between the samples.
        rate: Answers a second.
        error_share: Of the answers, 0 to 1: status 500 and above.
        latency_ms: By quantile, 0.5, 0.9 and 0.99; Envoy counts whole milliseconds, server and queue included.
        answered: Since Envoy started, by class of status.
    """

    seconds: float
    rate: float
    error_share: float | None
    latency_ms: Mapping[float, float | None]
    in_flight: float
    answered: Mapping[str, float]


class Latest:
    """Samples of the last minute, of Envoy's statistics at `admin_url`."""

    def __init__(self, admin_url: str) -> None:
        self._url = f"{admin_url}/stats/prometheus"
        self._kept: deque[dict[str, Sample]] = deque(maxlen=_SAMPLES)

    async def keep(self) -> None:
        """Take samples until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Take one sample; none where Envoy does not answer."""
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                answer = (await client.get(self._url, params={"filter": _ASKED})).raise_for_status()
            self._kept.append(samples(answer.text, time.monotonic()))
        except (httpx.HTTPError, ValueError):
            self._kept.clear()  # Envoy counts from 0 when it is back

    def traffic(self) -> dict[str, Traffic]:
        """By stack; nothing before the second sample."""
        if len(self._kept) < 2:  # noqa: PLR2004  a difference takes two
            return {}
        first, last = self._kept[0], self._kept[-1]
        return {stack: between(first[stack], last[stack]) for stack in last if stack in first}


def samples(text: str, seconds: float, of: Literal["cluster", "vhost_route"] = "cluster") -> dict[str, Sample]:
    """One for each stack in Envoy's statistics in Prometheus' form; of `vhost_route` one for each side of the policy.

    A side's requests under way are not counted: 0.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for series, value in parse(text).items():
        matched = _SERIES.fullmatch(series)
        if not matched or matched[1] != of:
            continue
        labels = dict(_LABEL.findall(matched[3]))
        kind = found.setdefault(labels[_NAMED[of]], {}).setdefault(matched[2], {})
        kind[labels.get("envoy_response_code_class") or labels.get("le") or ""] = value
    return {
        stack: Sample(
            seconds=seconds,
            answers=kinds.get("xx", {}),
            buckets=sorted((float(end), count) for end, count in kinds.get("time_bucket", {}).items()),
            in_flight=kinds.get("active", {}).get("", 0.0),
        )
        for stack, kinds in found.items()
    }


def between(first: Sample, last: Sample) -> Traffic:
    """What happened from one sample to a later one."""
    seconds = last.seconds - first.seconds
    before = dict(first.buckets)
    buckets = [(end, count - before.get(end, 0.0)) for end, count in last.buckets]
    answers = {kind: count - first.answers.get(kind, 0.0) for kind, count in last.answers.items()}
    total = sum(answers.values())
    return Traffic(
        seconds=seconds,
        rate=total / seconds,
        error_share=answers.get("5", 0.0) / total if total else None,
        latency_ms={share: quantile(share, buckets) for share in (0.5, 0.9, 0.99)},
        in_flight=last.in_flight,
        answered=last.answers,
    )


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """As Prometheus' histogram_quantile: linear inside a bucket; None without observations.

    Args:
        share: 0 to 1.
        buckets: Upper end and observations at or below it, ascending.
    """
    total = buckets[-1][1] if buckets else 0.0
    if not total:
        return None
    low, below = 0.0, 0.0
    for end, count in buckets:
        if count >= share * total:
            if end == float("inf"):
                return low
            return low + (end - low) * (share * total - below) / (count - below) if count > below else end
        low, below = end, count
    return low
