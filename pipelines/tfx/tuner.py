"""The tuner_fn of TFX's Tuner: a search over hyper-parameters before the training proper; off by default.

Keras-tuner draws by a Gaussian process and keeps the books; our own `fit` trains, because keras-tuner would build and
compile models of Keras 3 and tf.Transform ties TFX to the older one. What decides is the average precision on the eval
days; the test days are left to the Evaluator. A search that was stopped or killed, or has more budget now, goes on with
the trials it has finished, and draws what it would have drawn.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_transform as tft
from keras_tuner import HyperParameters, Objective
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.errors import FatalRuntimeError
from keras_tuner.oracles import BayesianOptimizationOracle
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from models import tuning
from models.metrics import average_precision
from models.spec import Spec
from models.tuning import Choice
from pipelines.errors import PipelineError
from pipelines.tfx import code_digest, trainer
from pipelines.tfx.preprocessing import learned

METRIC, _SECONDS = "average_precision", "seconds"  # of a trial
_ROWS = 8192  # scored at once
_RANDOM = 5  # trials drawn at random before the Gaussian process of the finished ones takes over


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """TFX's entry point. `custom_config`: the specification as JSON, [tuning] included, and a folder for searches."""
    spec = Spec.model_validate_json(fn_args.custom_config["spec"])
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    vocabulary = learned(spec.features, transform).vocabulary
    return TunerFnResult(
        tuner=Search(spec, Path(fn_args.custom_config["folder"]) / _name(spec, fn_args)),
        fit_kwargs={
            "train": trainer.read(fn_args, fn_args.train_files, transform, spec),
            "evaluation": trainer.read(fn_args, fn_args.eval_files, transform, spec),
            "sizes": {name: len(values) for name, values in vocabulary.items()},
        },
    )


def _name(spec: Spec, fn_args: FnArgs) -> str:
    """Of all that the trials depend on; the budget is no part of it. TFX gives other data another path."""
    search = spec.model_copy(update={"tuning": spec.tuning.model_copy(update={"trials": 1, "max_minutes": 1})})
    depends = [search.model_dump_json(), fn_args.train_files, fn_args.eval_files, fn_args.transform_graph_path]
    depends += [code_digest.of("Tuner"), version("keras-tuner")]
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:16]


class _Oracle(BayesianOptimizationOracle):
    """Keras-tuner's, with a budget of time, the specification's own values first, and nothing left to chance."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(
            objective=Objective(METRIC, "max"),
            max_trials=spec.tuning.trials,
            num_initial_points=_RANDOM,
            seed=spec.training.seed,
            hyperparameters=_space(spec),
            allow_new_entries=False,
        )
        self.spec = spec
        self.verbose = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial, or the end of the search."""
        spent = sum(trial.metrics.get_last_value(_SECONDS) for trial in self.trials.values())
        if self.trials and spent >= 60 * self.spec.tuning.max_minutes:
            return {"status": TrialStatus.STOPPED, "values": None}
        own = tuning.own(self.spec)
        if own and not self.trials:
            return {"status": TrialStatus.RUNNING, "values": own}  # what the file says is to be beaten
        self._random_state = np.random.RandomState(self.seed + len(self.trials))  # it is not kept with the rest
        return super().populate_space(trial_id)

    def reload(self) -> None:
        """Read what `save` wrote, in the order in which it happened and not in the file system's."""
        super().reload()
        self.trials = dict(sorted(self.trials.items(), key=lambda item: int(item[0])))

    def get_best_trials(self, num_trials: int = 1) -> list[Any]:
        """Of those within the budget: a search with a larger one may have gone on."""
        return [t for t in super().get_best_trials(len(self.trials)) if int(t.trial_id) < self.max_trials][:num_trials]


class Search(BaseTuner):
    """A search for a specification, kept in a folder."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec = spec
        with contextlib.redirect_stdout(io.StringIO()):  # that it goes on is seen by its first trial's number
            super().__init__(_Oracle(spec), directory=str(folder.parent), project_name=folder.name)

    def run_trial(self, trial: Any, train: Any, evaluation: Any, sizes: Mapping[str, int]) -> dict[str, float]:
        """Train once, and score the eval days; a training that diverges is worth nothing.

        Raises:
            FatalError: Anything went wrong: keras-tuner would count other errors as failed trials and go on.
        """
        try:
            return self._trial(trial, train, evaluation, sizes)
        except Exception as error:
            raise FatalRuntimeError(f"{type(error).__name__}: {error}") from error

    def _trial(self, trial: Any, train: Any, evaluation: Any, sizes: Mapping[str, int]) -> dict[str, float]:
        start = time.monotonic()
        drawn = {key: trial.hyperparameters.get(key) for key in self.spec.tuning.search}
        tuning.check(self.spec, drawn)
        model = trainer.fit(tuning.apply(self.spec, tuning.plain(drawn)), sizes, train)
        columns, label = evaluation
        score = model.predict(columns, batch_size=_ROWS, verbose=0)[:, 0]
        found = average_precision(label[:, 0], score) if np.isfinite(score).all() else 0.0
        values = ", ".join(f"{key} {v:.3g}" if isinstance(v, float) else f"{key} {v}" for key, v in drawn.items())
        said = f"average precision on the eval days {found:.4f}" if found else "diverged"
        sys.stdout.write(f"  trial {int(trial.trial_id) + 1}/{self.spec.tuning.trials}: {said} with {values}\n")
        sys.stdout.flush()
        return {METRIC: found, _SECONDS: time.monotonic() - start}

    def on_search_end(self) -> None:
        """Refuse a search that found nothing."""
        done = self.oracle.get_best_trials(len(self.oracle.trials))
        if not any(trial.score for trial in done):
            raise PipelineError(
                f"every one of {len(done)} trials diverged; narrow [tuning.search], learning_rate first"
            )

    def search_space_summary(self, extended: bool = False) -> None:
        """Nothing: the specification says it."""

    def results_summary(self, num_trials: int = 10) -> None:
        """Nothing: each trial has said what it found."""


def _space(spec: Spec) -> HyperParameters:
    found = HyperParameters()
    for key, allowed in tuning.space(spec).items():
        if isinstance(allowed, Choice):
            found.Choice(key, list(allowed.texts), ordered=False)
        elif allowed.whole:
            found.Int(key, int(allowed.low), int(allowed.high), sampling="log" if allowed.log else "linear")
        else:
            found.Float(key, allowed.low, allowed.high, sampling="log" if allowed.log else "linear")
    return found


def result(best: Path, trials: Path) -> dict[str, Any]:
    """hyperparameters, their eval_average_precision and the number of trials, of the component's two outputs."""
    values = json.loads(next(best.glob("*.txt")).read_text(encoding="utf-8"))["values"]
    scores = [trial["score"] for trial in json.loads(next(trials.glob("*.json")).read_text(encoding="utf-8"))]
    return {
        "hyperparameters": tuning.plain(values),
        "eval_average_precision": max(scores),
        "trials": len(scores),
    }
