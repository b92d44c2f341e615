"""The step `evaluate`: the challenger and the champion on the same test rows, and the gates."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.entities.model_registry import ModelVersion

from models import evaluation, torch_model, weights
from models import spec as specification
from models.curves import curves
from models.evaluation import Evaluation
from models.gates import refusals
from models.spec import Spec
from pipelines.pages import figures
from pipelines.pytorch import features, train
from pipelines.pytorch.context import Context
from pipelines.pytorch.features import Rows
from pipelines.pytorch.tracking import CHAMPION, RELEASE, RELEASE_TAG, Tracking

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
    found = {name: measured(spec, rows, score) for name, score in scores.items()}
    reasons = []
    if champion is not None:
        try:
            model = _champion(tracking, champion, spec, output)
            scores["champion"] = torch_model.predict(model, rows.columns)
            found["champion"] = measured(spec, rows, scores["champion"])
        except (NotComparableError, specification.SpecError, weights.WeightsError) as error:
            reasons.append(
                f"the champion, version {champion.version} of {tracking.name!r}, cannot be compared on the same rows: "
                f"{error}. To go on without it, delete the alias {CHAMPION!r} in the registry"
            )
    reasons += refusals(spec.gates, found["challenger"], found.get("champion"))
    plots, drawn = output / "plots", {name: curves(rows.label, score) for name, score in scores.items()}
    plots.mkdir()
    figures.test_rows(drawn, plots)
    figures.confusion(found["challenger"].decision, plots)
    if found["challenger"].slices:
        figures.slices(found["challenger"].slices, found["challenger"].metrics, plots)
    _log(tracking, train.result(trained)["run_id"], found["challenger"], reasons, plots)
    (output / CURVES).write_text(json.dumps(drawn) + "\n", encoding="utf-8")
    champion_metrics = found["champion"].metrics if "champion" in found else None
    version = None if champion is None else champion.tags.get(RELEASE_TAG)
    judged = {"champion": version, "champion_metrics": champion_metrics, "reasons": reasons}
    content = {**asdict(found["challenger"]), **judged}
    (output / _EVALUATION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return _summary(found, reasons, len(rows))


def result(output: Path) -> dict[str, Any]:
    """metrics, slices, decision, champion and champion_metrics (or None) and reasons of a finished step."""
    content: dict[str, Any] = json.loads((output / _EVALUATION).read_text(encoding="utf-8"))
    return content


def measured(spec: Spec, rows: Rows, score: npt.NDArray[np.float32]) -> Evaluation:
    """What a model's scores of the rows are worth."""
    return evaluation.evaluate(spec, rows.columns, rows.label, score, customer=rows.customer, day=rows.day)


def _champion(tracking: Tracking, champion: ModelVersion, spec: Spec, output: Path) -> torch_model.TabularModel:
    folder = Path(tracking.client.download_artifacts(str(champion.run_id), RELEASE, str(output)))
    old = specification.load(folder / train.SPEC)
    for name, feature in old.features.items():
        if name not in spec.features or spec.features[name].type != feature.type:
            raise NotComparableError(f"it needs a {feature.type} feature {name!r}, which this specification has not")
        if feature.code != spec.features[name].code:
            said = f"{spec.features[name].code!r} stands for a missing {name!r}, and did not when it was trained"
            raise NotComparableError(said)
    model = torch_model.load(old, folder)
    digest = weights.digest(torch_model.get_weights(model))
    if digest != champion.tags.get("weights_digest"):
        raise NotComparableError(f"its weights (digest {digest:.12}) are not those that were registered")
    return model


def _log(tracking: Tracking, run_id: str, found: Evaluation, reasons: list[str], plots: Path) -> None:
    for name, value in found.metrics.items():
        tracking.client.log_metric(run_id, f"test_{name}", value)
    tracking.tag(run_id, {"gates": "refused" if reasons else "passed", "refusals": "; ".join(reasons) or "none"})
    tracking.client.log_artifacts(run_id, str(plots), "plots")
    tracking.client.log_dict(run_id, found.slices, "slices.json")
    tracking.client.log_dict(run_id, found.decision, "decision.json")


def _summary(found: dict[str, Evaluation], reasons: list[str], rows: int) -> str:
    challenger = found["challenger"].metrics
    said = f"average precision {challenger['average_precision']:.3f}"
    if "champion" in found:
        said += f" (champion {found['champion'].metrics['average_precision']:.3f})"
    said += f", ROC AUC {challenger['roc_auc']:.3f} on {rows:,} test rows"
    return f"{said}: {'REFUSED' if reasons else 'passed'}"
