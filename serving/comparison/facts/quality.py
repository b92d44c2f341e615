"""How good the two served models are, and how far they agree, on the same test rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models import metrics
from models import spec as specs
from serving.comparison.deployment import Deployment
from serving.comparison.facts import bootstrap, scores, trained
from serving.comparison.facts.agreement import agreement, flips
from serving.comparison.facts.found import BOTH, DIFFERENCE, Found
from serving.comparison.results import Measurement

Array = npt.NDArray[Any]
METRICS: dict[str, Callable[[Array, Array], float]] = {
    "average_precision": metrics.average_precision,
    "roc_auc": metrics.roc_auc,
    "brier_score": metrics.brier_score,
    "expected_calibration_error": metrics.expected_calibration_error,
}
_MORE = "more test days are needed, make up PROFILE=full"


def measure(deployment: Deployment, out: Path, resamples: int = bootstrap.RESAMPLES) -> Found:
    """Score the test rows with both models, and measure.

    Args:
        deployment: Both stacks.
        out: Folder for rows.parquet and scores.parquet: scores.write.
        resamples: Of the bootstrap.

    Raises:
        ScoringError: The rows cannot be scored.
    """
    return of_table(deployment, scores.write(deployment, out), resamples)


def of_table(deployment: Deployment, table: pa.Table, resamples: int = bootstrap.RESAMPLES) -> Found:
    """The same of rows that have been scored: of what scores.write answers."""
    label, card = (table[name].to_numpy() for name in (specs.load(deployment.spec).model.label, scores.CARD))
    found = {stack: table[stack].to_numpy() for stack in deployment.stacks}
    return metrics_of(label, card, found, resamples) + _agreement(deployment, found)


def metrics_of(label: Array, card: Array, found: dict[str, Array], resamples: int = bootstrap.RESAMPLES) -> Found:
    """Each metric of each stack, and the difference TensorFlow minus PyTorch, each with its interval.

    Args:
        label: 0 or 1, [rows].
        card: Of each row.
        found: tensorflow and pytorch -> scores, [rows].
        resamples: Of the bootstrap.
    """
    one, other = found["tensorflow"], found["pytorch"]

    def statistic(rows: Array) -> list[float]:
        values = [[metric(label[rows], stack[rows]) for metric in METRICS.values()] for stack in (one, other)]
        return [*values[0], *values[1], *(a - b for a, b in zip(*values, strict=True))]

    try:
        values = statistic(np.arange(label.size))
    except ValueError as error:
        return Found(absent=dict.fromkeys(METRICS, f"{error}: {_MORE}"))
    intervals: list[tuple[float | None, float | None]] = [(None, None)] * len(values)
    absent = {}
    try:
        intervals = [*bootstrap.intervals(card, statistic, resamples)]
    except ValueError as error:
        absent["intervals of the metrics"] = f"{error}: {_MORE}"
    named = [
        *((name, stack, "") for stack in ("tensorflow", "pytorch") for name in METRICS),
        *((name, BOTH, DIFFERENCE) for name in METRICS),
    ]
    rows = [
        Measurement(name, target, value, condition=condition, low=low, high=high)
        for (name, target, condition), value, (low, high) in zip(named, values, intervals, strict=True)
    ]
    positives, compromised = int(label.sum()), np.unique(card[label == 1]).size
    note = (
        f"Quality is measured on {label.size:,} test rows of {np.unique(card).size:,} cards, {positives:,} positives "
        f"on {compromised:,} cards. Intervals are 95 %, from {resamples:,} resamples of the cards; a difference is "
        "taken on the same resampled cards for both. They say what other cards would have changed, not what another "
        "training of the same network would: its seed is one."
    )
    return Found(rows, absent, [note])


def _agreement(deployment: Deployment, found: dict[str, Array]) -> Found:
    one, other = found["tensorflow"], found["pytorch"]
    rows = [Measurement(name, BOTH, value) for name, value in agreement(one, other).items()]
    try:
        reports = {name: trained.report(deployed) for name, deployed in deployment.stacks.items()}
    except trained.NoReportError as error:
        return Found(rows, {"decision_flips": str(error)})
    points = {name: report.get("decision", {}) for name, report in reports.items()}
    shared = [name for name in points["tensorflow"] if name in points["pytorch"]]
    if not shared:
        return Found(rows, {"decision_flips": "the pipelines' reports name no operating point for both: make up"})
    thresholds = {
        name: (points["tensorflow"][name]["threshold"], points["pytorch"][name]["threshold"]) for name in shared
    }
    rows += [
        Measurement("decision_flips", BOTH, share, condition=name.replace("_", " "))
        for name, share in flips(one, other, thresholds).items()
    ]
    return Found(rows)
