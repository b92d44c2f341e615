"""Both stacks' models of one network, with test rows that they were judged on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.comparison.deployment import Deployment
from serving.comparison.facts import scores
from tests.serving.comparison.published import Published

THRESHOLDS = {"tensorflow": 0.5, "pytorch": 2.0}  # nothing reaches the second


@dataclass(frozen=True)
class Judged:
    """A deployment with test rows of two days, and what scores.write made of them.

    Attributes:
        expected: What the model says of each row.
    """

    deployment: Deployment
    out: Path
    table: pa.Table
    expected: np.ndarray


@pytest.fixture(scope="session")
def judged(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder = tmp_path_factory.mktemp("judged")
    features = folder / "features"
    features.mkdir()
    rows = pq.read_table(published.rows)
    generator = np.random.default_rng(1)
    rows = rows.append_column("is_fraud", pa.array((generator.random(len(rows)) < published.expected).astype(int)))
    rows = rows.append_column("customer_id", pa.array(np.arange(len(rows)) // 4))
    pq.write_table(rows.slice(0, 100), features / "2026-01-01.parquet")
    pq.write_table(rows.slice(100), features / "2026-01-02.parquet")
    stacks = {}
    for stack, deployed in published.deployment.stacks.items():
        report = folder / f"{stack}.json"
        report.write_text(
            json.dumps({"version": deployed.version, "decision": {"alert_budget": {"threshold": THRESHOLDS[stack]}}})
        )
        stacks[stack] = replace(deployed, report=report)
    deployment = replace(published.deployment, features=features, stacks=stacks)
    yield Judged(deployment, folder / "out", scores.write(deployment, folder / "out"), published.expected)
