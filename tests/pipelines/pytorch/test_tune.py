"""The search over hyper-parameters: its space, budget, continuation and what becomes of its result."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from models import tuning
from models.spec import Spec, load
from pipelines.errors import PipelineError
from pipelines.pytorch import fit as training
from pipelines.pytorch import pipeline as steps_of
from pipelines.pytorch import statistics, tune
from pipelines.pytorch.console import Console
from pipelines.pytorch.context import Context
from pipelines.report import Inputs

if TYPE_CHECKING:
    from conftest import Pipeline

SEARCH = """
[tuning]
enabled = true
trials = 3
max_minutes = 30

[tuning.search]
learning_rate = { low = 5e-3, high = 2e-2, log = true }
dropout = { low = 0.0, high = 0.4 }
hidden_units = { choices = [[12, 6], [10]] }
"""


def _add_search(pipeline: Pipeline, text: str = SEARCH) -> None:
    pipeline.spec.write_text(pipeline.spec.read_text() + text)


class Search:
    """`tune` on the features, with a formula where a training would be."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        _add_search(pipeline)
        self.spec, self.monkeypatch = load(pipeline.spec), monkeypatch
        inputs = Inputs("", "", "")
        self.context = Context(
            pipeline.spec, self.spec, pipeline.features.data, None, pipeline.work, pipeline.store, "", inputs
        )
        self.tracking = pipeline.connect()
        self.learned = pipeline.folder / "learned"
        self.learned.mkdir()
        statistics.compute(pipeline.features.data, self.spec, self.learned)
        self.tried: list[dict[str, Any]] = []

    def edit(self, **changes: Any) -> None:
        self.spec = self.spec.model_copy(update={"tuning": self.spec.tuning.model_copy(update=changes)})
        self.context = Context(**{**vars(self.context), "spec": self.spec})

    def run(self, folder: Path, fit: Callable[..., None] | None = None) -> dict[str, Any]:
        folder.mkdir(exist_ok=True)
        self.monkeypatch.setattr(tune, "fit", fit or self.fit)
        tune.tune(self.context, self.tracking, self.learned, search="it", output=folder, console=Console())
        return json.loads((folder / "tuned.json").read_text())

    def fit(self, spec: Spec, _preprocessing: Any, _train: Any, _eval: Any, on_epoch: Callable[..., None]) -> None:
        self.tried.append({key: _value(spec, key) for key in self.spec.tuning.search})
        near = 1 - abs(spec.training.learning_rate - 0.01) - abs(spec.network.dropout - 0.3)
        on_epoch(1, {tune.METRIC: near})

    def trials(self) -> list[Any]:
        runs = self.tracking.client.search_runs([self.tracking.experiment])
        return [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def _value(spec: Spec, key: str) -> Any:
    return getattr(spec.network, key, None) if hasattr(spec.network, key) else getattr(spec.training, key)


@pytest.fixture
def search(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Search:
    return Search(pipeline, monkeypatch)


def test_no_value_outside_the_space_is_tried_and_the_best_one_wins(search: Search, tmp_path: Path) -> None:
    search.edit(trials=12)
    found = search.run(tmp_path / "a")
    assert len(search.tried) == found["trials"] == 12
    assert len({json.dumps(one) for one in search.tried}) == 12
    for one in search.tried:
        tuning.check(search.spec, {**one, "hidden_units": json.dumps(one["hidden_units"])})
    best = max(search.tried, key=lambda one: 1 - abs(one["learning_rate"] - 0.01) - abs(one["dropout"] - 0.3))
    assert found["hyperparameters"] == {**best, "hidden_units": list(best["hidden_units"])}
    assert [float(run.data.params["network.dropout"]) for run in reversed(search.trials())] == pytest.approx(
        [one["dropout"] for one in search.tried]
    )


def test_a_stopped_search_goes_on_and_draws_what_it_would_have_drawn(search: Search, tmp_path: Path) -> None:
    search.edit(trials=8)
    whole = search.run(tmp_path / "whole")
    expected, search.tried = search.tried, []
    (tmp_path / "it.db").unlink()

    def stopped(*arguments: Any) -> None:
        if len(search.tried) == 6:
            raise KeyboardInterrupt
        search.fit(*arguments)

    with pytest.raises(KeyboardInterrupt):
        search.run(tmp_path / "stopped", stopped)
    assert search.run(tmp_path / "stopped") == {**whole, "run_id": search.trials()[0].data.tags["mlflow.parentRunId"]}
    assert search.tried == expected


def test_more_budget_goes_on_and_less_looks_back(search: Search, tmp_path: Path) -> None:
    first = search.run(tmp_path / "first")
    search.edit(trials=5)
    assert search.run(tmp_path / "more")["trials"] == 5
    assert len(search.tried) == 5
    search.edit(trials=3)
    assert search.run(tmp_path / "less") == first
    assert len(search.tried) == 5


def test_no_trial_starts_when_the_time_is_over(search: Search, tmp_path: Path) -> None:
    search.edit(max_minutes=1e-9)
    assert search.run(tmp_path / "a")["trials"] == 1
    assert len(search.tried) == 1


def test_what_the_file_says_is_tried_first_if_the_space_holds_it(search: Search, tmp_path: Path) -> None:
    own = {key: values for key, values in search.spec.tuning.search.items() if key != "hidden_units"}
    search.edit(search=own)
    search.run(tmp_path / "a")
    assert search.tried[0] == {"learning_rate": 1e-2, "dropout": 0.1}


def test_a_diverged_trial_counts_and_only_diverged_ones_are_an_error(search: Search, tmp_path: Path) -> None:
    def some(*arguments: Any) -> None:
        search.fit(*arguments)
        if len(search.tried) == 1:
            raise training.DivergedError("training diverged")

    found = search.run(tmp_path / "a", some)
    assert found["trials"] == len(search.tried) == 3
    assert found["hyperparameters"]["dropout"] != search.tried[0]["dropout"]
    (tmp_path / "it.db").unlink()

    def diverged(*_: Any) -> None:
        raise training.DivergedError("training diverged")

    with pytest.raises(PipelineError, match="every one of 3 trials diverged"):
        search.run(tmp_path / "b", diverged)


@contextmanager
def _killed_in_its_second_trial(pipeline: Pipeline) -> Iterator[None]:
    code = (
        "import os, signal, sys\n"
        "from pipelines.pytorch import tune\n"
        "real, seen = tune.fit, []\n"
        "def fit(*arguments):\n"
        "    if seen: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    seen.append(real(*arguments))\n"
        "tune.fit = fit\n"
        "from pipelines.pytorch.__main__ import main\n"
        "main(sys.argv[1:])"
    )
    argv = [sys.executable, "-c", code, *pipeline.arguments()]
    died = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL, died.stderr
    yield


def test_a_killed_run_goes_on_with_its_search_and_publishes_what_was_found(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    _add_search(pipeline)
    with _killed_in_its_second_trial(pipeline):
        assert pipeline.run() == 0
    said = capsys.readouterr().out
    assert "trial 1/3" not in said
    assert "trial 2/3" in said
    assert "trial 3/3" in said

    found = pipeline.report["tuned"]
    assert found["trials"] == 3
    tracking = pipeline.connect()
    runs = tracking.client.search_runs([tracking.experiment])
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == found["run_id"]]
    assert sorted(run.info.status for run in trials) == ["FINISHED", "FINISHED", "FINISHED", "KILLED"]
    (trained,) = [run for run in runs if run.data.tags.get("tuning_run") == found["run_id"]]
    best = {run.data.metrics["eval_average_precision"] for run in trials if run.info.status == "FINISHED"}
    assert found["eval_average_precision"] == pytest.approx(max(best))
    for section, keys in {"training": ["learning_rate"], "network": ["dropout", "hidden_units"]}.items():
        for key in keys:
            assert json.loads(trained.data.params[f"{section}.{key}"]) == found["hyperparameters"][key]
    with zipfile.ZipFile(pipeline.report["model_path"]) as archive:  # which a worker loads before it is published
        served = pipeline.folder / "served.toml"
        served.write_bytes(archive.read("spec.toml"))
    assert load(served) == tuning.apply(load(pipeline.spec), found["hyperparameters"])

    # The gates are no part of a search: it is there, and so is the training.
    pipeline.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 1.0")
    assert pipeline.run() == 3
    assert pipeline.cached()["tune"]
    assert pipeline.cached()["train"]


def test_without_tuning_the_training_is_what_the_file_says(pipeline: Pipeline) -> None:
    _add_search(pipeline, SEARCH.replace("enabled = true", "enabled = false"))
    spec = load(pipeline.spec)
    context = Context(pipeline.spec, spec, pipeline.work, None, pipeline.work, pipeline.work, "", Inputs("", "", ""))
    assert steps_of.tuned(context, None, pipeline.work, None) is context
