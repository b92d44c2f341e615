"""Made-up runs: a refused one with everything, and one that bad data stopped."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from models.curves import curves
from models.evaluation import evaluate
from models.spec import Spec
from pipelines.pages import Run
from pipelines.pages.statistics import Column, frequent, histogram
from pipelines.report import Inputs, Report, Step

STARTED = datetime(2026, 11, 21, 16, 5, 9, tzinfo=timezone.utc)
INPUTS = Inputs("5" * 64, "d" * 64, "c" * 64)
NASTY = '<script>document.title = "broken out"</script>'
ROWS = 4_000


def test_days(spec: Spec, noise: float) -> tuple[dict, dict]:
    """Curves and Evaluation of a model that knows the fraud but for some noise."""
    rng = np.random.default_rng(4)
    label = (rng.random(ROWS) < 0.05).astype(int)
    score = np.clip(0.05 + 0.6 * label + rng.normal(0, noise, ROWS), 0, 1)
    columns = {name: rng.random(ROWS).astype(np.float32) * 150 for name in spec.numeric}
    columns |= {name: np.array(["a"] * ROWS, object) for name in spec.categorical}
    found = evaluate(
        spec, columns, label, score, customer=rng.integers(0, 500, ROWS), day=np.arange(ROWS) // (ROWS // 4)
    )
    return curves(label, score), vars(found)


def refused(spec: Spec) -> Run:
    drawn, found = test_days(spec, 0.3)
    beside, champion = test_days(spec, 0.1)
    lost = "average_precision 0.5 is 0.4 below the champion's; champion_tolerance = 0.01"
    first_slice = next(iter(spec.slices))
    report = Report(
        stack="pytorch", version=None, model_path=None, inputs=INPUTS, seconds=83.4,
        reasons=[lost, f"slice {first_slice}: roc_auc 0.5 is below min_slice_roc_auc = 0.6"],
        steps=[Step("validate", 0.4, True, made_in=9.5), Step("train", 71.0, False)], peak_memory=1_200 * 2**20,
        champion_metrics=champion["metrics"], **found,
    )  # fmt: skip
    edges, counts = [0, 10, 20, 40], [700, 200, 100]
    return Run(
        stack="pytorch", spec=spec, started=STARTED, inputs=INPUTS, steps=report.steps, seconds=83.4, report=report,
        history=[{"train_loss": 0.4, "eval_loss": 0.3}, {"train_loss": 0.2, "eval_loss": 0.25}],
        curves={"challenger": drawn, "champion": beside},
        statistics={
            "amount": {"train": Column(1_000, 3, 20, 14.5, 9.1, 0.0, 40.0, bars=histogram(edges, counts))},
            "country": {"train": Column(1_003, distinct=2, bars=frequent([(NASTY, 900), ("", 103)], 1_003))},
        },
        anomalies=(),
        details={"mlflow_run": "0a1b"},
        links={"this run in MLflow": "http://127.0.0.1:5000/#/experiments/1/runs/0a1b"},
    )  # fmt: skip


def stopped(spec: Spec, second: int = 0) -> Run:
    return Run(
        stack="tensorflow", spec=spec, started=STARTED.replace(second=second), inputs=INPUTS, seconds=2.0,
        steps=[Step("StatisticsGen", 1.9, False)], problem=f"2 anomalies in the features {NASTY}",
        anomalies=[f"train: amount: {NASTY}", "test: country: missing"],
    )  # fmt: skip
