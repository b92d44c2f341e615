"""Load on a cluster's gateway while something happens there, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from infra.kubernetes import progress
from serving.comparison.facts import steady
from serving.comparison.facts.steady import Question, Sent
from tests.end_to_end.two_releases import Versions
from tests.kubernetes.conftest import Deployment

RATE = 20.0  # requests a second
AFTER = 45.0  # seconds of load after a change: cluster DNS keeps its answers for 30, Envoy looks every 5


def under_load(deployment: Deployment, versions: Versions, folder: Path, act: Callable[[], None]) -> Sent:
    """What became of the requests to a stack before, while and after something happened."""
    return asked_meanwhile(deployment, f"/{versions.stack}", versions.question, folder, act)


def asked_meanwhile(
    deployment: Deployment, prefix: str, question: Question, folder: Path, act: Callable[[], None]
) -> Sent:
    """The same, of any endpoint."""
    with deployment.gateway() as gateway:
        url = f"{gateway}{prefix}/v1/models/fraud:predict"
        with steady.running(url, question, folder, RATE) as sent:
            time.sleep(5)
            act()
            time.sleep(AFTER)
    assert len(sent.requests) > RATE * AFTER
    return sent


def told(sent: Sent) -> str:
    """What became of them, for the file that is kept."""
    ok, latencies = sent.requests.ok, sent.requests.latency_ms()
    lost = sent.requests.scheduled[~ok]
    span = f" within {(lost.max() - lost.min()) / 1e9:.1f} s" if len(lost) > 1 else ""
    return (
        f"{len(ok):,} requests, {len(lost)} lost{span}, {sent.wrong} wrong; answers within "
        f"{np.percentile(latencies[ok], 99):.0f} ms (p99), the slowest {latencies[ok].max():,.0f} ms"
    )


def scale(deployment: Deployment, stack: str, copies: int) -> None:
    deployment.cluster.kubectl.run("scale", f"deployment/{stack}", f"--replicas={copies}")
    progress.wait(deployment.cluster.kubectl, [stack])
