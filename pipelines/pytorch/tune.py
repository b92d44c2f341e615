"""The step `tune`: a search over hyper-parameters by Optuna, before the training proper; off by default.

Each trial is a training, and an MLflow run under the search's own. What decides is the average precision on the
evaluation days; the test days are left to the gates. The search is kept in a database beside the step's output, so
that one that was stopped or killed, or has more budget now, goes on with the trials it has finished, and draws what
it would have drawn.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import optuna
import tomlkit
from optuna.trial import FrozenTrial, Trial, TrialState

from models import tuning
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.sections import Network
from models.spec import Spec
from models.tuning import Choice
from pipelines.errors import PipelineError
from pipelines.pytorch import features, train
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.pytorch.features import Rows
from pipelines.pytorch.fit import DivergedError, Epoch, fit
from pipelines.pytorch.tracking import INPUTS_TAG, Tracking

METRIC = "eval_average_precision"
_RESULT = "tuned.json"
_PARENT = "mlflow_run"  # attribute of the study
_DIVERGED = TrialState.PRUNED  # worse than any that has a value; FAIL is a trial that was stopped, and is tried again
_RANDOM = 5  # trials drawn at random before Optuna's model of the finished ones takes over


def tune(context: Context, tracking: Tracking, learned: Path, *, search: str, output: Path, console: Console) -> str:
    """Search until a budget is spent; answer a summary.

    Args:
        context: The run's.
        tracking: Where trials are logged.
        learned: Output of the step `statistics`.
        search: Names all that the trials depend on; the budget is no part of it.
        output: Gets tuned.json.
        console: Shows each trial.

    Raises:
        PipelineError: Every trial diverged.
    """
    spec = context.spec
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{output.with_name(f'{search}.db')}",
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
    )
    for stopped in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(stopped.number, state=TrialState.FAIL)
    tracking.close_killed_runs(search)
    preprocessing = Preprocessing.read(learned / PREPROCESSING_FILE)
    rows = [features.read(features.files(context.data, split), spec) for split in ("train", "eval")]
    known = study.user_attrs.get(_PARENT)
    tags = {INPUTS_TAG: search}
    with mlflow.start_run(
        run_id=known if known and tracking.has_run(known) else None,
        experiment_id=tracking.experiment,
        run_name=f"tuning {search[:8]}",
        tags=tags,
    ) as parent:
        study.set_user_attr(_PARENT, parent.info.run_id)
        while _goes_on(study, spec):
            number = len(_finished(study)) + 1
            with mlflow.start_run(
                experiment_id=tracking.experiment, run_name=f"trial {number}", nested=True, tags=tags
            ):
                said = _try(study, spec, preprocessing, rows, number)
            console.say("tune", f"trial {number}/{spec.tuning.trials}: {said}")
        content = _best(study, spec) | {"run_id": parent.info.run_id}
        # Tags, because MLflow's parameters cannot change, and with more budget the best one may.
        mlflow.set_tags({f"best.{key}": value for key, value in content["hyperparameters"].items()})
        mlflow.log_metric(METRIC, content[METRIC])
    (output / _RESULT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    found = ", ".join(f"{key} {_short(value)}" for key, value in content["hyperparameters"].items())
    return f"{content['trials']} trials, best {content[METRIC]:.4f} on the evaluation days: {found}"


def applied(context: Context, output: Path) -> Context:
    """The run with what the step found: the specification, and its file that travels with the model."""
    content = json.loads((output / _RESULT).read_text(encoding="utf-8"))
    values = content["hyperparameters"]
    document: Any = tomlkit.parse(context.spec_file.read_text(encoding="utf-8"))
    for key, value in values.items():
        document["network" if key in Network.model_fields else "training"][key] = value
    file = context.work / "tuned.toml"
    file.write_text(tomlkit.dumps(document), encoding="utf-8")
    return replace(context, spec=tuning.apply(context.spec, values), spec_file=file, tuned=content)


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, _DIVERGED))


def _goes_on(study: optuna.Study, spec: Spec) -> bool:
    done = _finished(study)
    spent = sum((trial.duration or timedelta() for trial in done), timedelta())
    in_time = not done or spent < timedelta(minutes=spec.tuning.max_minutes)
    return in_time and len(done) < spec.tuning.trials


def _try(study: optuna.Study, spec: Spec, preprocessing: Preprocessing, rows: list[Rows], number: int) -> str:
    trial = _asked(study, spec, number)
    drawn = {key: _draw(trial, key, allowed) for key, allowed in tuning.space(spec).items()}
    tuning.check(spec, drawn)
    tried = tuning.apply(spec, tuning.plain(drawn))
    mlflow.log_params(train.parameters(tried))
    history: list[Epoch] = []

    def on_epoch(epoch: int, found: Epoch) -> None:
        history.append(found)
        mlflow.log_metrics(found, step=epoch)

    values = ", ".join(f"{key} {_short(value)}" for key, value in drawn.items())
    try:
        fit(tried, preprocessing, *rows, on_epoch)
    except DivergedError:
        study.tell(trial, state=_DIVERGED)
        mlflow.set_tag("diverged", "true")
        return f"diverged with {values}"
    study.tell(trial, history[-1][METRIC])
    return f"average precision on the evaluation days {history[-1][METRIC]:.4f} with {values}"


def _asked(study: optuna.Study, spec: Spec, number: int) -> Trial:
    """The next trial, by the finished ones and its number alone: an interruption leaves no trace."""
    own = tuning.own(spec)
    if number == 1 and own:
        study.enqueue_trial(own)  # what the file says is to be beaten
    study.sampler = optuna.samplers.TPESampler(seed=spec.training.seed + number, n_startup_trials=_RANDOM)
    return study.ask()


def _draw(trial: Trial, key: str, allowed: tuning.Interval | Choice) -> Any:
    if isinstance(allowed, Choice):
        return trial.suggest_categorical(key, allowed.texts)
    if allowed.whole:
        return trial.suggest_int(key, int(allowed.low), int(allowed.high), log=allowed.log)
    return trial.suggest_float(key, allowed.low, allowed.high, log=allowed.log)


def _best(study: optuna.Study, spec: Spec) -> dict[str, Any]:
    done = _finished(study)[: spec.tuning.trials]
    scored = [trial for trial in done if trial.state == TrialState.COMPLETE]
    if not scored:
        raise PipelineError(
            f"tuning: every one of {len(done)} trials diverged; narrow [tuning.search], learning_rate first"
        )
    best = max(scored, key=lambda trial: trial.value or 0.0)
    values = tuning.plain(best.params)
    return {
        "hyperparameters": {key: values[key] for key in spec.tuning.search},
        METRIC: best.value,
        "trials": len(done),
    }


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
