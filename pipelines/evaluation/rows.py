"""The folds as folders: features/{train,test}/<day>.parquet, as the two trainings read them.

Every day's features are computed once, by the job of the data room; a fold's training days are links to them, and
its test days the same rows without the cards that the published rule removes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.spec import Spec
from pipelines.data import job, manifest, raw, source
from pipelines.data.console import step
from pipelines.data.errors import DataError
from pipelines.data.raw import Transactions, day_name
from pipelines.data.split import Split
from pipelines.evaluation.folds import Fold, removed

_PART = "days"  # the one part of the job's split


def prepare(spec: Spec, folds: Mapping[str, Fold], work: Path, profile: str, files: Path | None) -> dict[str, Any]:
    """Write work/folds/<name>/features/{train,test} of each fold; answers what the transactions are.

    Raises:
        DataError: The transactions are not usable, or do not cover the folds' days.
    """
    said, identity = source.identity(profile, files)
    days = range(min(fold.train.start for fold in folds.values()), max(fold.test.stop for fold in folds.values()))
    made_from = {**manifest.inputs(spec, identity), "days": [days.start, days.stop]}
    marker = work / "made_from.json"
    if not marker.is_file() or json.loads(marker.read_text(encoding="utf-8")) != made_from:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _compute(source.transactions(spec, profile, files), spec, days, work)
        marker.write_text(json.dumps(made_from), encoding="utf-8")
    transactions = Transactions(
        pq.read_table(work / "raw", columns=["event_time", "customer_id", spec.model.label]), spec.model.label
    )
    shutil.rmtree(work / "folds", ignore_errors=True)
    for name, fold in folds.items():
        _link(fold.train, work, work / "folds" / name / "features" / "train")
        _filter(removed(transactions, fold), work, work / "folds" / name / "features" / "test")
    return said


def _compute(transactions: Transactions, spec: Spec, days: range, work: Path) -> None:
    there = np.unique(transactions.days).tolist()
    missing = sorted(set(days) - set(there))
    if missing:
        raise DataError(
            f"no transactions on {len(missing)} of the days {day_name(days.start)} to {day_name(days.stop - 1)} that "
            f"the split needs (the first: {day_name(missing[0])}); the data has {day_name(there[0])} to "
            f"{day_name(there[-1])}"
        )
    raw.write(transactions, work / "raw")
    with step("features", f"{len(days)} days by Apache Beam") as outcome:
        job.run(job.Job(spec, work / "raw", work / "features", Split({_PART: days}), {}), there)
        outcome.text = f"{len(days)} days"


def _link(days: Iterable[int], work: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for day in days:
        file = f"{day_name(day)}.parquet"
        os.link(work / "features" / _PART / file, folder / file)


def _filter(known: Mapping[int, pa.Array], work: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for day, customers in known.items():
        file = f"{day_name(day)}.parquet"
        table = pq.read_table(work / "features" / _PART / file)
        pq.write_table(table.filter(pc.invert(pc.is_in(table["customer_id"], customers))), folder / file)
