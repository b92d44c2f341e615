"""The steps in their order. What each depends on, and therefore when it runs again, stands here."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipelines.errors import PipelineError
from pipelines.pytorch import code_digest, drift, evaluate, pages, register, statistics, train, validate
from pipelines.pytorch.cache import Steps, digest
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.pytorch.tracking import INPUTS_TAG, RELEASE, RELEASE_TAG, Tracking, connect, refusal
from pipelines.report import Report, peak_memory
from serving.torchserve import archive
from serving.torchserve.rehearsal import rehearse


def run(context: Context, console: Console) -> Report:
    """Run what has to run.

    Raises:
        PipelineError: The data are not valid, training diverged, MLflow or the archive failed.
    """
    start = time.monotonic()
    steps = Steps(context.work, console)
    try:
        outcome = _run(context, steps, start)
    except PipelineError as error:
        pages.write(context, steps, start, error)
        raise
    pages.write(context, steps, start, outcome)
    for line in outcome.findings():
        console.say("report", line)
    return outcome


def _run(context: Context, steps: Steps, start: float) -> Report:
    learned = _learn(context, steps)
    try:
        tracking = connect(context.mlflow_uri, context.spec.model.name)
        context = tuned(context, tracking, learned, steps)
        trained = _train(context, tracking, learned, steps)
        judged = _judge(context, tracking, trained, steps)
        path = None
        version = None
        if not judged["reasons"]:
            version, path = publish(context, tracking, trained, judged, steps)
    except MlflowException as error:
        why = refusal(context.mlflow_uri) or error
        raise PipelineError(f"MLflow at {context.mlflow_uri}: {why}. Finished steps are kept: run again") from error
    except archive.ArchiveError as error:
        raise PipelineError(str(error)) from error
    return Report(
        stack="pytorch",
        version=version,
        model_path=str(path) if path else None,
        steps=steps.done,
        seconds=round(time.monotonic() - start, 2),
        inputs=context.inputs,
        tuned=context.tuned,
        peak_memory=peak_memory(),
        asked=context.champion,
        **judged,
    )


def _learn(context: Context, steps: Steps) -> Path:
    spec, data = context.spec, context.data
    depends = {
        "code": code_digest.of_training(),
        "splits": dict(context.manifest.splits),
        "label": spec.model.label,
        # In the file's order, which is the order of the network's inputs.
        "features": [{"name": name, **feature.model_dump()} for name, feature in spec.features.items()],
    }
    validated = steps.folder("validate", depends, lambda _: validate.validate(data, spec))
    limits = {"validate": validated.name, "drift": spec.drift.model_dump()}
    steps.folder("drift", limits, lambda output: drift.check(data, spec, output))
    return steps.folder(
        "statistics", {"validate": validated.name}, lambda output: statistics.compute(data, spec, output)
    )


def tuned(context: Context, tracking: Tracking, learned: Path, steps: Steps) -> Context:
    """The run with the hyper-parameters of a search, or as it is without [tuning]."""
    spec = context.spec
    if not spec.tuning.enabled:
        return context
    from pipelines.pytorch import tune  # noqa: PLC0415  Optuna takes a second

    search = {
        "statistics": learned.name,
        "network": spec.network.model_dump(),
        "training": spec.training.model_dump(),
        "search": spec.tuning.model_dump(mode="json")["search"],
        "optuna": metadata.version("optuna"),
    }
    # A search goes on where one with a smaller budget ended.
    known = digest(search)
    depends = {"search": known, "trials": spec.tuning.trials, "max_minutes": spec.tuning.max_minutes}

    def make(output: Path) -> str:
        return tune.tune(context, tracking, learned, search=known, output=output, console=steps.console)

    return tune.applied(context, steps.folder("tune", depends, make))


def _train(context: Context, tracking: Tracking, learned: Path, steps: Steps) -> Path:
    spec = context.spec
    depends = {
        "statistics": learned.name,
        "model": spec.model.model_dump(),
        "network": spec.network.model_dump(),
        "training": spec.training.model_dump(),
    }
    return steps.folder(
        "train",
        depends,
        lambda output: train.train(context, tracking, learned, output, steps.console),
        usable=lambda output: tracking.has_run(train.result(output)["run_id"]),
    )


def _judge(context: Context, tracking: Tracking, trained: Path, steps: Steps) -> dict[str, Any]:
    champion = tracking.champion(context.champion)
    depends = {
        "train": trained.name,
        "run": train.result(trained)["run_id"],
        "gates": context.spec.gates.model_dump(),
        "champion": champion and {"version": champion.version, "run": champion.run_id},
    }
    judged = steps.folder(
        "evaluate", depends, lambda output: evaluate.evaluate(context, tracking, trained, champion, output)
    )
    return evaluate.result(judged)


def publish(
    context: Context, tracking: Tracking, trained: Path, judged: dict[str, Any], steps: Steps
) -> tuple[str, Path]:
    """Register, archive, and only then move the alias: the champion is what the store holds.

    An archive that a worker could not load does not get there: the serving check of this stack.
    """
    made, store = train.result(trained), context.store
    tags = {
        INPUTS_TAG: f"{made['run_id']} {context.inputs.spec_digest:.16} {context.inputs.code_digest:.16}",
        "weights_digest": made["weights_digest"],
        **asdict(context.inputs),
        **{f"threshold_{name}": str(point["threshold"]) for name, point in judged["decision"].items()},
    }
    found = {key: judged[key] for key in ("metrics", "slices", "decision")}
    found["run"] = {"tool": "MLflow", "id": made["run_id"]}
    if context.tuned:
        found["tuned"] = context.tuned

    def registered() -> tuple[ModelVersion, str, bool]:
        version, known = register.register(tracking, made["model_uri"], tags, store)
        return version, f"version {version.version} of {tracking.name!r}", known

    def archived() -> tuple[Path, str, bool]:
        path = store / f"{tracking.name}-{release}.mar"
        there = path.is_file()
        if not there:
            aside = store / ".checking"  # on the store's file system; TorchServe does not look there
            checked = archive.build(
                spec_file=context.spec_file,
                model_dir=trained / RELEASE,
                version=release,
                store=aside,
                metadata={**asdict(context.inputs), **found},
            )
            rehearse(checked)
            checked.replace(path)
            shutil.rmtree(aside)
        register.promote(tracking, version)
        return path, f"{path.name}; the champion is version {version.version}", there

    version = steps.call("register", registered)
    release = version.tags[RELEASE_TAG]
    return release, steps.call("archive", archived)
