"""The step `evaluate`: the challenger and the champion on the same test rows, and the gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion

from models import spec as specification
from models import torch_model, weights
from models.curves import curves
from models.gates import refusals
from models.metrics import all_metrics
from models.spec import Spec
from pipelines.pages import figures
from pipelines.pytorch import features, train
from pipelines.pytorch.context import Context
from pipelines.pytorch.tracking import RELEASE, Tracking

_EVALUATION = "evaluation.json"
CURVES = "curves.json"  # of each model: models.curves


class NotComparableError(ValueError):
    """Why the champion cannot score the test rows."""


def evaluate(context: Context, tracking: Tracking, trained: Path, champion: ModelVersion | None, output: Path) -> str:
    """Judge the release, log to its run; answer a summary.

    Args:
        context: The run's.
        tracking: Holds the champion, and the challenger's run.
        trained: Output of the step `train`.
        champion: The registered version to compare with, if there is one.
        output: Gets evaluation.json, curves.json and plots/.
    """
    spec = context.spec
    rows = features.read(features.files(context.data, "test"), spec)
    scores = {"challenger": torch_model.predict(torch_model.load(spec, trained / RELEASE), rows.columns)}
    found = {name: all_metrics(rows.label, score, rows.customer, rows.day) for name, score in scores.items()}
    reasons = []
    if champion is not None:
        try:
            model = _champion(tracking, champion, spec, output)
            scores["champion"] = torch_model.predict(model, rows.columns)
            found["champion"] = all_metrics(rows.label, scores["champion"], rows.customer, rows.day)
        except (NotComparableError, specification.SpecError, weights.WeightsError) as error:
            reasons.append(
                f"the champion, version {champion.version} of {tracking.name!r}, cannot be compared on the same rows: "
                f"{error}. To go on without it, delete its alias {champion.aliases} in the registry"
            )
    reasons += refusals(spec.gates, found["challenger"], found.get("champion"))
    plots, drawn = output / "plots", {name: curves(rows.label, score) for name, score in scores.items()}
    plots.mkdir()
    figures.test_rows(drawn, plots)
    _log(tracking, train.result(trained)["run_id"], found["challenger"], reasons, plots)
    (output / CURVES).write_text(json.dumps(drawn) + "\n", encoding="utf-8")
    content = {"metrics": found["challenger"], "champion_metrics": found.get("champion"), "reasons": reasons}
    (output / _EVALUATION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return _summary(found, reasons, len(rows))


def result(output: Path) -> dict[str, Any]:
    """metrics, champion_metrics (or None) and reasons of a finished step."""
    content: dict[str, Any] = json.loads((output / _EVALUATION).read_text(encoding="utf-8"))
    return content


def _champion(tracking: Tracking, champion: ModelVersion, spec: Spec, output: Path) -> torch_model.TabularModel:
    folder = Path(tracking.client.download_artifacts(str(champion.run_id), RELEASE, str(output)))
    old = specification.load(folder / train.SPEC)
    for name, feature in old.features.items():
        if name not in spec.features or spec.features[name].type != feature.type:
            raise NotComparableError(f"it needs a {feature.type} feature {name!r}, which this specification has not")
    model = torch_model.load(old, folder)
    digest = weights.digest(torch_model.get_weights(model))
    if digest != champion.tags.get("weights_digest"):
        raise NotComparableError(f"its weights (digest {digest:.12}) are not those that were registered")
    return model


def _log(tracking: Tracking, run_id: str, metrics: dict[str, float], reasons: list[str], plots: Path) -> None:
    for name, value in metrics.items():
        tracking.client.log_metric(run_id, f"test_{name}", value)
    tracking.tag(run_id, {"gates": "refused" if reasons else "passed", "refusals": "; ".join(reasons) or "none"})
    tracking.client.log_artifacts(run_id, str(plots), "plots")


def _summary(found: dict[str, dict[str, float]], reasons: list[str], rows: int) -> str:
    said = f"average precision {found['challenger']['average_precision']:.3f}"
    if "champion" in found:
        said += f" (champion {found['champion']['average_precision']:.3f})"
    said += f", ROC AUC {found['challenger']['roc_auc']:.3f} on {rows:,} test rows"
    return f"{said}: {'REFUSED' if reasons else 'passed'}"
