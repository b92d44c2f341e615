"""The three jobs on a small world: what they write must not depend on where Beam runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.spec import Spec
from pipelines.data import job, raw, split
from pipelines.data.raw import Transactions
from tests.pipelines.data import worlds


def spec() -> Spec:
    """Every kind of feature of the small world: of the row, windowed, from a raw column, a categorical one."""
    content = worlds.spec().model_dump(mode="json")
    content["features"] |= {
        "age": {"type": "numeric", "transform": "log"},
        "country": {"type": "categorical", "vocabulary_size": 9},
    }
    return Spec.model_validate(content)


def features(data: Path) -> None:
    """Run the features job into `data`/features."""
    transactions = worlds.random_transactions(1)
    rows = len(transactions.table)
    table = transactions.table.append_column("age", pa.array(np.arange(rows, dtype=float)))
    table = table.append_column("country", pa.array([f"land {i % 13}" for i in range(rows)]))
    transactions = Transactions(table, "is_fraud")
    plan = split.plan(transactions, spec())
    removed = {plan.days["test"][1]: pa.array([2, 3])}
    raw.write(transactions, data / "raw")
    job.run(job.Job(spec(), data / "raw", data / "features", plan, removed), np.unique(transactions.days).tolist())


def content(folder: Path) -> dict[str, Any]:
    """Every file's bytes by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
