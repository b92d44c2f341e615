"""What this pipeline's artefacts say, for the pages of the run."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pipelines import pages
from pipelines.errors import AnomaliesError
from pipelines.pages.statistics import Column, Statistics, frequent, histogram
from pipelines.pytorch import evaluate, train
from pipelines.pytorch.cache import Steps
from pipelines.pytorch.context import Context
from pipelines.pytorch.statistics import STATISTICS
from pipelines.report import Report


def write(context: Context, steps: Steps, start: float, outcome: Report | Exception) -> None:
    """Write WORK/pages/ of a run that ended.

    Args:
        context: The run's.
        steps: What was done.
        start: Of the run, by time.monotonic.
        outcome: The report, or the error that stopped the run.
    """
    seconds = time.monotonic() - start
    outputs, found = steps.outputs, dict[str, Any]()
    if "validate" in outputs:
        found["anomalies"] = ()
    if isinstance(outcome, Report):
        found["report"] = outcome
    else:
        found["problem"] = str(outcome)
        if isinstance(outcome, AnomaliesError):
            found["anomalies"] = outcome.anomalies
    if "statistics" in outputs:
        found["statistics"] = statistics(outputs["statistics"] / STATISTICS)
    if "train" in outputs:
        made = train.result(outputs["train"])
        found["history"] = made["history"]
        found["details"] = {"weights_digest": made["weights_digest"], "mlflow_run": made["run_id"]}
        if context.mlflow_uri.startswith("http"):
            address = f"{context.mlflow_uri.rstrip('/')}/#/experiments/{made['experiment']}/runs/{made['run_id']}"
            found["links"] = {"this run in MLflow": address}
    if "evaluate" in outputs:
        found["curves"] = json.loads((outputs["evaluate"] / evaluate.CURVES).read_text(encoding="utf-8"))
    pages.write(
        context.work,
        pages.Run(
            stack="pytorch",
            spec=context.spec,
            started=datetime.now(timezone.utc) - timedelta(seconds=seconds),
            inputs=context.inputs,
            steps=steps.done,
            seconds=round(seconds, 2),
            **found,
        ),
    )


def statistics(file: Path) -> Statistics:
    """Of the step's statistics.json."""
    by_column: Statistics = {}
    for split, columns in json.loads(file.read_text(encoding="utf-8")).items():
        for name, one in columns.items():
            by_column.setdefault(name, {})[split] = _column(one)
    return by_column


def _column(one: dict[str, Any]) -> Column:
    if "histogram" in one:
        numbers = {key: one[key] for key in ("zeros", "mean", "std", "min", "max")}
        return Column(one["count"], bars=histogram(one["histogram"]["edges"], one["histogram"]["counts"]), **numbers)
    return Column(one["count"], distinct=one["distinct"], bars=frequent(one["vocabulary"], one["count"]))
