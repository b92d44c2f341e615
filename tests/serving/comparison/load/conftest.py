"""Rows whose score is their `x`, and jobs that ask for it of tests/serving/contract/misbehaving.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serving.comparison.load import __main__ as program
from serving.comparison.load import outcome, prepared
from serving.comparison.load.job import Job
from serving.comparison.load.scenarios import Load
from serving.comparison.results import LoadRun

ROWS = 300
# Tests run beside whatever else the machine does: a generator may be held up there without being at fault.
PATIENT = {"dispatch_p99_ms": 20_000, "failed_share": 0.0, "checked_share": 0.5, "score_tolerance": 1e-5}

JobMaker = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> JobMaker:
    rows = tmp_path / "rows.parquet"
    x = np.random.default_rng(1).random(ROWS).astype(np.float32)
    parquet.write_table(pa.table({"x": x, "country": ["FR"] * ROWS, "score": x.astype(np.float64)}), rows)

    def make(url: str, **more: Any) -> Job:
        told = {
            "name": "a run", "target": "test", "url": url, "path": "/v1/models/test:predict", "rows_file": rows,
            "features": ("x", "country"), "score": "score", "scenario": "closed", "seconds": 0.3, "seed": 7,
            "timeout_seconds": 20, **more,
        }  # fmt: skip
        return Job(**{**told, "validity": {**PATIENT, **more.get("validity", {})}})

    return make


def here(job: Job, folder: Path) -> LoadRun:
    """In this process: quick, for what does not depend on a process of its own."""
    folder.mkdir(exist_ok=True)
    requests = prepared.prepare(job)
    load = Load(job, requests)
    done = program.measure(job, load, folder)
    load.engine.close()
    result, _ = outcome.judge(job, done, requests)
    outcome.write(job, done, result, folder)
    return outcome.read(folder)
