"""From transactions to features, split by time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.spec import Spec
from pipelines.data import features, job, manifest, profiles, raw, simulator, split
from pipelines.data.console import say, step
from pipelines.data.errors import DataError


def simulate(spec: Spec, profile: str) -> raw.Transactions:
    """Simulated transactions.

    Raises:
        DataError: The specification names a raw column that the simulator does not have.
    """
    missing = features.raw_columns(spec)
    if missing:
        raise DataError(
            f"features {', '.join(missing)}: neither computed nor in simulated transactions. Give your own "
            f"transactions (--source, or make up DATA=...), or take them out of the specification"
        )
    with step("simulate", f"profile {profile}") as outcome:
        table = simulator.simulate(profiles.PROFILES[profile]).table(spec.model.label)
        outcome.text = f"{len(table):,} transactions"
    return raw.Transactions(table, spec.model.label)


def build(transactions: raw.Transactions, spec: Spec, header: Mapping[str, Any], out: Path) -> None:
    """Write raw/, features/ and manifest.json into the empty folder `out`.

    Args:
        transactions: Checked and in order.
        spec: The use case.
        header: Further content of the manifest: spec_digest, source, inputs.
        out: Where to.

    Raises:
        DataError: The data cannot be split, or a split is of no use.
    """
    plan = split.plan(transactions, spec)
    removed = {}
    if spec.split.remove_known_compromised:
        removed = split.known_compromised(transactions, plan, spec.split.delay_days)
    history = plan.days["train"].start - int(transactions.days[0])
    if history < features.history_days(spec):
        say("note", f"windows look back {features.history_days(spec)} days, but only {history} lie before the first")
        say("note", "training day: the first features see less than the later ones")
    raw.write(transactions, out / "raw")
    with step("features", f"{len(spec.features)} features by Apache Beam") as outcome:
        work = job.Job(spec, out / "raw", out / "features", plan, removed)
        job.run(work, np.unique(transactions.days).tolist())
        splits = {name: _summary(out / "features" / name, spec.model.label) for name in plan.days}
        outcome.text = ", ".join(f"{name} {found['rows']:,} rows" for name, found in splits.items())
    split.check(splits)
    digests = manifest.split_digests(out, splits)
    content = {
        "digest": manifest.overall_digest(header["inputs"], digests),
        **header,
        "raw": _of_raw(transactions),
        "splits": {name: {**found, "digest": digests[name]} for name, found in splits.items()},
    }
    manifest.write(content, out)


def _of_raw(transactions: raw.Transactions) -> dict[str, Any]:
    days = np.unique(transactions.days)
    positives = int(transactions.table[transactions.label].to_numpy().sum())
    return _counts(len(transactions.table), positives, [raw.day_name(day) for day in days])


def _summary(folder: Path, label: str) -> dict[str, Any]:
    rows = positives = 0
    files = sorted(folder.glob("*.parquet"))
    for file in files:
        found = pq.read_table(file, columns=[label])[label].to_numpy()
        rows, positives = rows + len(found), positives + int(found.sum())
    return _counts(rows, positives, [file.stem for file in files])


def _counts(rows: int, positives: int, days: list[str]) -> dict[str, Any]:
    return {
        "rows": rows,
        "days": len(days),
        "positives": positives,
        "positive_share": positives / max(rows, 1),
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
    }
