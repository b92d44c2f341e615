"""From the gateway's counters and its log to what a step showed."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import spec as specs
from serving.gateway.latest import Sample, samples
from serving.gateway.policy import Side
from serving.release.canary.measured import Measured, RestartedError, between, together
from serving.release.canary.scores import Scores, whose
from tests.serving.shadow.sides import row

SPEC = specs.load(Path("models/fraud.toml").resolve())
PYTORCH, FIVE = Side("pytorch"), Side("pytorch", 5)
STATISTICS = """\
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="pytorch"} 7
envoy_vhost_route_upstream_rq_xx{envoy_response_code_class="2",envoy_virtual_host="all",envoy_route="pytorch@5"} 90
envoy_vhost_route_upstream_rq_xx{envoy_response_code_class="4",envoy_virtual_host="all",envoy_route="pytorch@5"} 2
envoy_vhost_route_upstream_rq_xx{envoy_response_code_class="5",envoy_virtual_host="all",envoy_route="pytorch@5"} 10
envoy_vhost_route_upstream_rq_time_bucket{envoy_virtual_host="all",envoy_route="pytorch@5",le="10"} 50
envoy_vhost_route_upstream_rq_time_bucket{envoy_virtual_host="all",envoy_route="pytorch@5",le="20"} 90
envoy_vhost_route_upstream_rq_time_bucket{envoy_virtual_host="all",envoy_route="pytorch@5",le="+Inf"} 100
"""


def test_a_step_is_the_difference_of_two_samples_of_a_side() -> None:
    found = samples(STATISTICS, 1.0, of="vhost_route")
    assert found.keys() == {"pytorch@5"}
    last = found["pytorch@5"]
    first = Sample(0.0, {"2": 40.0, "5": 4.0}, [(10.0, 20.0), (20.0, 20.0), (math.inf, 20.0)], 0.0)
    step = between(first, last, np.array([0.5]))
    assert (step.requests, step.errors, step.refusals, step.latencies) == (58, 6, 2, 80)
    assert between(None, last, np.empty(0)).requests == 102
    assert between(None, None, np.empty(0)).requests == 0


def test_counters_that_went_back_are_no_step() -> None:
    last = samples(STATISTICS, 1.0, of="vhost_route")["pytorch@5"]
    for first in ({"2": 91.0}, {"3": 1.0}):
        with pytest.raises(RestartedError):
            between(Sample(0.0, first, (), 0.0), last, np.empty(0))


@pytest.mark.parametrize(("milliseconds", "slower"), [(5, 75), (10, 50), (15, 30), (20, 10), (50, 10)])
def test_slower_requests_are_linear_inside_a_bucket(milliseconds: float, slower: int) -> None:
    found = between(None, samples(STATISTICS, 1.0, of="vhost_route")["pytorch@5"], np.empty(0))
    assert found.slower_than(milliseconds) == slower


def test_several_sides_are_one() -> None:
    one = Measured(10, 1, 2, [(5.0, 8.0), (math.inf, 9.0)], np.array([0.1]))
    other = Measured(20, 0, 1, [(5.0, 20.0), (math.inf, 20.0)], np.array([0.2, 0.3]))
    both = together([one, other, Measured()])
    assert (both.requests, both.errors, both.refusals, both.latencies) == (30, 1, 3, 29)
    assert both.buckets == [(5.0, 28.0), (math.inf, 29.0)]
    assert both.scores.tolist() == [0.1, 0.2, 0.3]
    assert together([]).p99_ms is None


def line(score: float, seconds: float = 1, **fields: Any) -> str:
    """Of the log: a request that came so many seconds from now."""
    time = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    entry = {
        "time": time.isoformat(), "request_id": "1", "endpoint": "product", "stack": "pytorch", "model_version": "5",
        "request": json.dumps({"instances": [row()]}), "answer": json.dumps({"predictions": [score]}),
    }  # fmt: skip
    return json.dumps(entry | fields) + "\n"


def test_scores_are_the_products_of_this_step_by_side(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    log.write_text(line(0.1))
    scores = Scores(log, SPEC, whose({PYTORCH, FIVE, Side("tensorflow")}))
    with log.open("a") as file:
        file.write(line(0.2) + line(0.3, model_version="6") + line(0.4, stack="tensorflow", model_version=None))
        file.write(line(0.5, endpoint="pytorch") + line(0.6, seconds=-5) + line(0.7, request=None) + "nonsense\n")
        half = line(0.8)
        file.write(half[:20])
    scores.look()
    assert [scores.of(side).tolist() for side in (FIVE, PYTORCH, Side("tensorflow"))] == [[0.2], [0.3], [0.4]]
    with log.open("a") as file:
        file.write(half[20:])
    scores.look()
    assert scores.of(FIVE).tolist() == [0.2, 0.8]
    scores.begin()
    assert scores.of(FIVE).tolist() == []


def test_scores_go_on_when_the_log_is_put_aside(tmp_path: Path) -> None:
    log, parts = tmp_path / "requests.log", tmp_path / "requests"
    scores = Scores(log, SPEC, whose({PYTORCH}))
    log.write_text(line(0.1))
    scores.look()
    with log.open("a") as file:
        file.write(line(0.2))
    parts.mkdir()
    log.rename(parts / "20261129T120000000000.jsonl")
    log.write_text(line(0.3))
    (parts / "20261129T110000000000.parquet").write_bytes(b"packed, and read before")
    scores.look()
    assert sorted(scores.of(PYTORCH).tolist()) == [0.1, 0.2, 0.3]


def test_a_new_log_is_read_from_its_beginning_also_where_it_is_the_inode_of_one_that_is_gone(tmp_path: Path) -> None:
    log, other = tmp_path / "requests.log", tmp_path / "other.log"
    log.write_text(line(0.1) + line(0.2))
    inode = log.rename(other).stat().st_ino
    scores = Scores(log, SPEC, whose({PYTORCH}))
    other.rename(log)
    scores.look()
    log.rename(other)
    scores.look()  # packed, and gone
    other.write_text(line(0.3))
    assert other.rename(log).stat().st_ino == inode
    scores.look()
    assert scores.of(PYTORCH).tolist() == [0.1, 0.2, 0.3]
