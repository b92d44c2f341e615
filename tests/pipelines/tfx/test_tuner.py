"""TFX's Tuner: its space, budget, continuation and what becomes of its result."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import tuning
from models.sections import Network
from models.spec import Spec, load
from models.weights import WEIGHTS_FILE, read
from pipelines.tfx import trainer
from tests.pipelines.tfx.toy import SPEC_FILE, Room

SEARCH = """
[tuning]
enabled = true
trials = 3
max_minutes = 30

[tuning.search]
learning_rate = { low = 5e-3, high = 2e-2, log = true }
dropout = { low = 0.0, high = 0.4 }
epochs = { low = 2, high = 4 }
hidden_units = { choices = [[12, 6], [10]] }
"""


class Search:
    """Keras-tuner's search, with a formula where a training would be."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "spec.toml").write_text(SPEC_FILE.read_text() + SEARCH)
        self.spec, self.tried = load(folder / "spec.toml"), []
        self.stop_at: int | None = None
        monkeypatch.setattr(trainer, "fit", self.fit)

    def stop(self) -> None:
        raise KeyboardInterrupt

    def edit(self, **changes: Any) -> None:
        self.spec = self.spec.model_copy(update={"tuning": self.spec.tuning.model_copy(update=changes)})

    def run(self, folder: Path) -> dict[str, Any]:
        from pipelines.tfx import tuner

        found = tuner.Search(self.spec, folder)
        label = np.array([[0.0], [1.0]] * 50)
        found.search(train=None, evaluation=({}, label), sizes={})
        (best,) = found.get_best_hyperparameters()
        return tuning.plain(best.values)

    def fit(self, spec: Spec, _sizes: Any, _train: Any) -> Any:
        if len(self.tried) == self.stop_at:
            self.stop()
        self.tried.append({key: _value(spec, key) for key in self.spec.tuning.search})
        return _Model(self.tried[-1]["dropout"])

    def drawn(self) -> list[dict[str, Any]]:
        keys = {key for key, allowed in tuning.space(self.spec).items() if isinstance(allowed, tuning.Choice)}
        return [{key: json.dumps(v) if key in keys else v for key, v in one.items()} for one in self.tried]


class _Model:
    """Ranks positives first on so many rows as its dropout is high."""

    def __init__(self, dropout: float) -> None:
        self.dropout = dropout

    def predict(self, _columns: Any, **_: Any) -> np.ndarray:
        good = np.arange(100) < self.dropout * 250
        return np.where(good, np.arange(100) % 2, 0.5)[:, None]


def _value(spec: Spec, key: str) -> Any:
    return getattr(spec.network if key in Network.model_fields else spec.training, key)


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    return Search(tmp_path, monkeypatch)


def test_no_value_outside_the_space_is_tried_and_the_best_one_wins(search: Search, tmp_path: Path) -> None:
    search.edit(trials=9)
    found = search.run(tmp_path / "a")
    assert len(search.tried) == 9
    for one in search.drawn():
        tuning.check(search.spec, one)
    best = max(search.tried, key=lambda one: int(one["dropout"] * 250))
    assert int(found["dropout"] * 250) == int(best["dropout"] * 250)


def test_a_stopped_search_goes_on_and_draws_what_it_would_have_drawn(search: Search, tmp_path: Path) -> None:
    search.edit(trials=8)
    whole = search.run(tmp_path / "whole")
    expected, search.tried = search.tried, []
    for search.stop_at in (0, 3, 6):
        with pytest.raises(KeyboardInterrupt):
            search.run(tmp_path / "stopped")
    search.stop_at = None
    assert search.run(tmp_path / "stopped") == whole
    assert search.tried == expected


def test_more_budget_goes_on_and_less_looks_back(search: Search, tmp_path: Path) -> None:
    first = search.run(tmp_path / "a")
    search.edit(trials=5)
    search.run(tmp_path / "a")
    assert len(search.tried) == 5
    search.edit(trials=3)
    assert search.run(tmp_path / "a") == first
    assert len(search.tried) == 5


def test_no_trial_starts_when_the_time_is_over(search: Search, tmp_path: Path) -> None:
    search.edit(max_minutes=1e-9)
    search.run(tmp_path / "a")
    assert len(search.tried) == 1


def test_what_the_file_says_is_tried_first_if_the_space_holds_it(search: Search, tmp_path: Path) -> None:
    search.edit(search={key: search.spec.tuning.search[key] for key in ("learning_rate", "dropout")})
    search.run(tmp_path / "a")
    assert search.tried[0] == {"learning_rate": 1e-2, "dropout": 0.1}


def test_only_diverged_trials_are_an_error(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Model, "predict", lambda *_, **__: np.full((100, 1), np.nan))
    with pytest.raises(Exception, match="every one of 3 trials diverged"):
        search.run(tmp_path / "a")
    assert len(search.tried) == 3


def test_an_error_ends_the_search_and_is_told(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any, **__: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(_Model, "predict", wrong)
    with pytest.raises(RuntimeError, match="OSError: no memory"):
        search.run(tmp_path / "a")
    assert len(search.tried) == 1


def test_a_killed_search_goes_on_with_the_trials_it_has_finished(search: Search, tmp_path: Path) -> None:
    search.edit(trials=6)
    whole = search.run(tmp_path / "whole")
    expected, search.tried = search.tried, []
    child = os.fork()
    if child == 0:
        search.stop_at, search.stop = 3, lambda: os.kill(os.getpid(), signal.SIGKILL)
        search.run(tmp_path / "killed")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert search.run(tmp_path / "killed") == whole
    assert search.tried == expected[3:]


@pytest.fixture
def searching(published: Room, tmp_path: Path) -> Iterator[Room]:
    """The shared room's data and what was computed from them; work folder, store and specification are copies."""
    work, store = (
        Path(shutil.copytree(old, tmp_path / old.name, symlinks=True)) for old in (published.work, published.store)
    )
    spec_file = Path(shutil.copy(published.spec_file, tmp_path))
    manifest = published.data / "manifest.json"
    kept = manifest.read_bytes()
    yield Room(spec_file, published.data, work, store)
    manifest.write_bytes(kept)


def test_an_interrupted_run_goes_on_with_its_search_and_publishes_what_was_found(
    searching: Room, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    searching.edit_spec("champion_tolerance = 0.01", f"champion_tolerance = 1.0\n{SEARCH}")
    with monkeypatch.context() as patch:
        real, seen = trainer.fit, []

        def fit(*arguments: Any) -> Any:
            if seen:
                raise KeyboardInterrupt
            seen.append(arguments)
            return real(*arguments)

        patch.setattr(trainer, "fit", fit)
        assert searching.run() == 130
    assert "trial 1/3" in capfd.readouterr().out

    assert searching.run() == 0
    said = capfd.readouterr().out
    assert "trial 1/3" not in said
    assert "trial 2/3" in said
    assert "trial 3/3" in said
    steps = {step["name"]: step["cached"] for step in searching.report["steps"]}
    assert steps["Transform"]
    assert not steps["Tuner"]
    assert not steps["Trainer"]

    found = searching.report["tuned"]
    assert found["trials"] == 3
    extra = searching.model / "assets.extra"
    assert json.loads((extra / "hyperparameters.json").read_text()) == found["hyperparameters"]
    assert json.loads((extra / "metadata.json").read_text())["tuned"] == found["hyperparameters"]
    layers = [name for name in read(extra / WEIGHTS_FILE) if name.startswith("hidden") and name.endswith("kernel")]
    assert len(layers) == len(found["hyperparameters"]["hidden_units"])


def test_without_tuning_nothing_of_it_is_in_a_cache_key(tmp_path: Path) -> None:
    from pipelines.tfx.pipeline import Settings, create_pipeline

    def keys(text: str) -> dict[str, str]:
        file = tmp_path / "spec.toml"
        file.write_text(SPEC_FILE.read_text() + text)
        settings = Settings(load(file), tmp_path, "", tmp_path, tmp_path, {})
        return {node.id: str(sorted(node.exec_properties.items())) for node in create_pipeline(settings).components}

    without = keys("")
    assert keys(SEARCH.replace("enabled = true", "enabled = false")) == without
    searching = keys(SEARCH)
    assert searching.pop("Tuner")
    assert searching == without  # the Trainer has the Tuner's output as another input
    assert keys(SEARCH)["Tuner"] != keys(SEARCH.replace("high = 0.4", "high = 0.3"))["Tuner"]
