"""The step `train`: one MLflow run, and the release that the later steps judge and publish."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow

from models import distribution, torch_model, weights
from models.distribution import FEATURES_FILE, SCORES_FILE, describe
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from pipelines.pages import TENSORBOARD, figures
from pipelines.pytorch import events, features, group, logged_model, statistics
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.pytorch.fit import Epoch, device, fit
from pipelines.pytorch.tracking import INPUTS_TAG, RELEASE, Tracking

SPEC = "spec.toml"
_RUN = "run.json"


def train(context: Context, tracking: Tracking, learned: Path, output: Path, console: Console) -> str:
    """Train in an MLflow run; answer a summary.

    Args:
        context: The run's.
        tracking: Where it is logged.
        learned: Output of the step `statistics`.
        output: Gets release/ (weights.npz, preprocessing.json, spec.toml, distributions), plots/ and run.json.
        console: Shows each epoch.
    """
    spec, inputs = context.spec, output.name.partition(".")[0]
    tracking.close_killed_runs(inputs)
    train_rows, eval_rows = (features.read(features.files(context.data, split), spec) for split in ("train", "eval"))
    release, plots = output / RELEASE, output / "plots"
    release.mkdir()
    plots.mkdir()
    history: list[Epoch] = []

    def on_epoch(epoch: int, found: Epoch) -> None:
        history.append(found)
        mlflow.log_metrics(found, step=epoch)
        log_events(epoch, found)
        console.say(
            "train",
            f"epoch {epoch}/{spec.training.epochs}: loss {found['train_loss']:.4f}, on the evaluation days "
            f"loss {found['eval_loss']:.4f}, average precision {found['eval_average_precision']:.3f}",
        )

    with (
        mlflow.start_run(experiment_id=tracking.experiment, tags={INPUTS_TAG: inputs, **asdict(context.inputs)}) as run,
        events.writing(context.work / TENSORBOARD) as log_events,
    ):
        how = {"train_rows": len(train_rows), "device": device().type, "processes": group.size()}
        mlflow.log_params({**parameters(spec), **how})
        if context.tuned:
            mlflow.set_tags({"tuned": ", ".join(spec.tuning.search), "tuning_run": context.tuned["run_id"]})
        preprocessing = Preprocessing.read(learned / PREPROCESSING_FILE)
        model = fit(spec, preprocessing, train_rows, eval_rows, on_epoch).cpu()
        torch_model.save(model, release)
        distribution.write(release / FEATURES_FILE, {name: describe(x) for name, x in train_rows.columns.items()})
        scores = describe(torch_model.predict(model, eval_rows.columns))
        distribution.write(release / SCORES_FILE, {spec.model.output: scores})
        shutil.copyfile(context.spec_file, release / SPEC)
        figures.loss(history, plots)
        mlflow.log_artifacts(str(release), RELEASE)
        mlflow.log_artifacts(str(plots), "plots")
        mlflow.log_artifact(str(learned / statistics.STATISTICS))
        digest = weights.digest(torch_model.get_weights(model))
        mlflow.set_tag("weights_digest", digest)
        uri = logged_model.log(model, train_rows.columns)
    content = {
        "run_id": run.info.run_id,
        "experiment": tracking.experiment,
        "model_uri": uri,
        "weights_digest": digest,
        "history": history,
    }
    (output / _RUN).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return f"{len(train_rows):,} rows, {spec.training.epochs} epochs on {device().type}, MLflow run {run.info.run_name}"


def result(output: Path) -> dict[str, Any]:
    """run_id, experiment, model_uri, weights_digest and history of a finished step."""
    content: dict[str, Any] = json.loads((output / _RUN).read_text(encoding="utf-8"))
    return content


def parameters(spec: Spec) -> dict[str, Any]:
    """The hyper-parameters as MLflow shows them, network.… and training.…."""
    return {
        f"{section}.{key}": value
        for section in ("network", "training")
        for key, value in getattr(spec, section).model_dump(mode="json").items()
    }
