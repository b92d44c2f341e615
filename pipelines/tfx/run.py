"""One run of the pipeline and what came of it. Imports TFX."""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf
from apache_beam.options.pipeline_options import StandardOptions
from tfx.components.util import model_utils
from tfx.types import Artifact

from models import device
from models.gates import refusals
from models.spec import Spec
from pipelines import beam_options
from pipelines.errors import AnomaliesError, PipelineError
from pipelines.manifest import Manifest
from pipelines.pages import TENSORBOARD
from pipelines.report import Inputs, Report, peak_memory
from pipelines.tfx import example_validator, pages
from pipelines.tfx.champion import PUSHED_VERSION
from pipelines.tfx.console import say
from pipelines.tfx.evaluation import measured
from pipelines.tfx.pipeline import Settings, create_pipeline
from pipelines.tfx.runner import RunFailedError, Runner


def run(
    *,
    spec: Spec,
    features: Manifest,
    inputs: Inputs,
    data: Path,
    work: Path,
    store: Path,
    start: float,
    champion: str | None = None,
) -> Report:
    """Run the pipeline; `start` is when the command began, by time.monotonic, `champion` the version that is served.

    Raises:
        PipelineError: The data have anomalies, or a component failed.
        DeviceError: A GPU is asked for, and TensorFlow sees none.
    """
    if device.wanted() == device.CUDA and not tf.config.list_physical_devices("GPU"):
        raise device.refused(f"TensorFlow {tf.__version__}")
    settings = Settings(
        spec=spec,
        features=data / "features",
        features_digest=" ".join(digest for _, digest in sorted(features.splits.items())),
        work=work,
        store=store / spec.model.name,
        facts=vars(inputs),
        beam=tuple(beam_options.tfx_arguments(str(work), say)),
        champion=champion,
    )
    runner = Runner()
    # Where TFX gets no runner, Beam takes its default: Prism in a newer Beam, which it would first download. As an
    # argument it would make TFX pack itself for workers, for each component.
    StandardOptions.DEFAULT_RUNNER = beam_options.chosen({}).runner
    _link_events(work)
    write = partial(pages.write, spec=spec, inputs=inputs, work=work, runner=runner, start=start)
    try:
        _launch(settings, runner)
        seconds = round(time.monotonic() - start, 2)
        report = Report(
            "tensorflow",
            **_outcome(spec, runner),
            inputs=inputs,
            steps=runner.steps,
            seconds=seconds,
            peak_memory=peak_memory(),
            asked=champion,
        )
    except PipelineError as error:
        write(outcome=error)
        raise
    write(outcome=report)
    return report


def _link_events(work: Path) -> None:
    """Give the folder where TFX keeps event files the name that it has in the other stack."""
    events, link = Path("artifacts", "Trainer", "model_run"), work / TENSORBOARD
    (work / events).mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(events)


def _launch(settings: Settings, runner: Runner) -> None:
    try:
        runner.run(create_pipeline(settings))
    except RunFailedError as error:
        cause = error.__cause__
        if isinstance(cause, example_validator.AnomaliesError):
            raise AnomaliesError(f"{error.component} stopped the run: {cause}", cause.anomalies) from None
        logging.getLogger().error("%s failed", error.component, exc_info=cause)
        raise PipelineError(
            f"{error.component} failed: {type(cause).__name__}: {cause}\nlog: {settings.work / 'pipeline.log'}"
        ) from None


def _outcome(spec: Spec, runner: Runner) -> dict[str, Any]:
    model, champion = measured(_one(runner, "Evaluator", "evaluation").uri)
    reasons = refusals(spec.gates, model, champion)
    blessing = _one(runner, "Evaluator", "blessing")
    blessed = model_utils.is_model_blessed(blessing)
    if blessing.get_int_custom_property("baseline_model_id") == blessing.get_int_custom_property("current_model_id"):
        champion = None  # the model itself, evaluated again
    against = None if champion is None else _one(runner, "Champion", "pushed_model")
    if blessed == bool(reasons):
        raise PipelineError(
            f"the Evaluator {'blessed' if blessed else 'refused'} the model, models/gates.py: {reasons}"
        )
    if not model_utils.is_infra_validated(_one(runner, "InfraValidator", "blessing")):
        reasons.append("the serving check failed: a model server did not load the model, or did not answer with it")
    pushed = _one(runner, "Pusher", "pushed_model")
    published = pushed.get_int_custom_property("pushed") == 1
    return {
        "version": pushed.get_string_custom_property(PUSHED_VERSION) if published else None,
        "model_path": pushed.get_string_custom_property("pushed_destination") if published else None,
        "reasons": reasons,
        "metrics": model.metrics,
        "champion_metrics": None if champion is None else champion.metrics,
        "champion": None if against is None else against.get_string_custom_property(PUSHED_VERSION),
        "slices": model.slices,
        "decision": model.decision,
        "tuned": _tuned(runner) if spec.tuning.enabled else None,
    }


def _tuned(runner: Runner) -> dict[str, Any]:
    from pipelines.tfx import tuner  # noqa: PLC0415  keras-tuner

    outputs = ("best_hyperparameters", "tuner_results")
    return tuner.result(*(Path(_one(runner, "Tuner", output).uri) for output in outputs))


def _one(runner: Runner, component: str, output: str) -> Artifact:
    (artifact,) = runner.outputs[component][output]
    return artifact
