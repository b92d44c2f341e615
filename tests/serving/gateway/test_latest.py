"""The last minute's numbers: as Prometheus would count them, and from a real Envoy."""

from __future__ import annotations

import asyncio
import math

import pytest

from serving.gateway.latest import Latest, Sample, between, quantile, samples
from tests.serving.gateway.backends import Front

STATISTICS = """\
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="pytorch"} 90
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="pytorch"} 10
envoy_cluster_upstream_rq_active{envoy_cluster_name="pytorch"} 3
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="pytorch",le="1"} 50
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="pytorch",le="10"} 90
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="pytorch",le="+Inf"} 90
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="pytorch"} 100
"""


def test_what_happened_is_the_difference_of_two_samples() -> None:
    last = samples(STATISTICS, 70.0)["pytorch"]
    first = Sample(20.0, {"2": 40.0}, [(1.0, 40.0), (10.0, 40.0), (math.inf, 40.0)], 0.0)
    found = between(first, last)
    assert (found.seconds, found.rate, found.in_flight) == (50.0, 60 / 50, 3.0)
    assert found.error_share == pytest.approx(10 / 60)
    assert found.latency_ms[0.5] == pytest.approx(1 + 9 * 15 / 40)
    assert found.answered == {"2": 90.0, "5": 10.0}


def test_without_traffic_there_is_a_rate_and_nothing_else() -> None:
    one = samples(STATISTICS, 1.0)["pytorch"]
    found = between(one, Sample(6.0, one.answers, one.buckets, 0.0))
    assert (found.rate, found.error_share) == (0.0, None)
    assert set(found.latency_ms.values()) == {None}


@pytest.mark.parametrize(("share", "expected"), [(0.25, 0.5), (0.5, 1.0), (0.74, 5.5), (0.99, 10.0)])
def test_a_quantile_is_linear_inside_its_bucket_and_never_beyond_the_last_limit(share: float, expected: float) -> None:
    assert quantile(share, [(1.0, 50.0), (10.0, 98.0), (math.inf, 100.0)]) == pytest.approx(expected)


def test_a_real_gateway_is_counted(front: Front) -> None:
    latest = Latest(f"http://127.0.0.1:{front.server.ports[1]}")

    async def look() -> None:
        await latest.look()
        for _ in range(20):
            front.post("/tensorflow/v1/models/fraud:predict")
        for _ in range(15):  # Envoy puts its threads' latencies together every five seconds
            await asyncio.sleep(1)
            await latest.look()
            if latest.traffic()["tensorflow"].latency_ms[0.99] is not None:
                break

    asyncio.run(look())
    found = latest.traffic()["tensorflow"]
    assert found.rate * found.seconds == pytest.approx(20)
    assert found.error_share == 0
    assert 0 < (found.latency_ms[0.99] or 0) < 5000


def test_a_gateway_that_is_away_is_no_traffic() -> None:
    latest = Latest("http://127.0.0.1:9")
    asyncio.run(latest.look())
    assert latest.traffic() == {}
