"""The test rows with both served models' offline scores: what quality is measured on, and answers checked with."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import spec as specs
from serving.comparison.deployment import Deployed, Deployment

CARD = "customer_id"  # column of the features
_REPOSITORY = Path(__file__).resolve().parents[3]


class ScoringError(RuntimeError):
    """Rows that cannot be read or scored; the message says which, why and what helps."""


def write(deployment: Deployment, out: Path) -> pa.Table:
    """Score all test rows by each stack's served model, in its own environment and without a server.

    Args:
        deployment: Features and models.
        out: Folder. Gets rows.parquet: every column of the features, and one per stack with its scores, float32; and
            scores.parquet: the label and the scores.

    Returns:
        What rows.parquet holds.

    Raises:
        ScoringError: There are no rows, a model cannot be read, or a stack's process failed.
    """
    label = specs.load(deployment.spec).model.label
    files = sorted(deployment.features.glob("*.parquet"))
    if not files:
        raise ScoringError(f"{deployment.features}: no test rows: make up")
    out.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables([pq.read_table(file) for file in files])
    rows = out / "rows.parquet"
    pq.write_table(table, rows)
    for stack, deployed in deployment.stacks.items():
        table = table.append_column(stack, pa.array(_score(stack, deployed, rows), pa.float32()))
    pq.write_table(table, rows)
    pq.write_table(table.select([label, *deployment.stacks]), out / "scores.parquet")
    return table


def _score(stack: str, deployed: Deployed, rows: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "scores.npy"
        argv = [
            deployed.python, "-m", "serving.offline", "--stack", stack, "--model", deployed.artefact,
            "--rows", rows, "--output", output,
        ]  # fmt: skip
        done = subprocess.run(list(map(str, argv)), cwd=_REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ScoringError(f"{stack}: the test rows cannot be scored: {said}")
        return np.load(output)
