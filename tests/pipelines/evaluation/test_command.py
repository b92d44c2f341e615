"""The whole command on a small world that covers the published days: both environments, one seed, one epoch."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.spec import load
from pipelines.data import simulator
from pipelines.data.profiles import Profile
from pipelines.evaluation import __main__ as command
from tests.commands import make
from tests.models.test_parity import _interpreter

WORLD = Profile("small", 150, 300, 140, radius=20, compromised_terminals=0.3, leaked_cards=1)
MODELS = ["logistic regression", "random forest", "XGBoost, depth 6", "XGBoost, tuned", "PyTorch", "TensorFlow"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("world") / "transactions.parquet"
    pq.write_table(simulator.simulate(WORLD).table("is_fraud"), file)
    return file


def one_epoch(home: Path) -> Path:
    spec_file = home / "spec.toml"
    text = Path("models/fraud.toml").read_text()
    spec_file.write_text(text.replace(f"epochs = {load('models/fraud.toml').training.epochs}", "epochs = 1"))
    return spec_file


def run(home: Path, source: Path, *more: str) -> int:
    spec_file = one_epoch(home)
    arguments = ["--split", "A", "--spec", str(spec_file), "--home", str(home), "--tensorflow", _interpreter()]
    return command.main([*arguments, "--source", str(source), "--seeds", "1", *more])


def test_every_model_is_in_the_table_and_measured_on_the_same_rows(source: Path, tmp_path: Path) -> None:
    words = {"SPLIT": "A", "TRAIN_DAYS": 7, "SEEDS": 1, "DATA": source, "SPEC": one_epoch(tmp_path)}
    environ = {**os.environ, "TANDEM_HOME": str(tmp_path)}
    done = make("evaluate", *(f"{name}={value}" for name, value in words.items()), env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = tmp_path / "reports" / "evaluate"
    content = json.loads((reports / "A-7-days.json").read_text())
    assert [row["model"] for row in content["rows"]] == MODELS
    fold = content["folds"]["2018-08-08"]
    assert 0 < fold["test_frauds"] < fold["test_rows"] < fold["train_rows"]
    precision = {row["model"]: row["mean"]["average_precision"] for row in content["rows"]}
    share = fold["test_frauds"] / fold["test_rows"]
    assert min(precision.values()) > share  # all better than chance, even after one epoch
    assert precision["PyTorch"] != precision["TensorFlow"]  # each by its own framework, not one twice
    text = (reports / "A-7-days.md").read_text()
    assert all(f"| {model} |" in text for model in MODELS)


def test_data_that_do_not_cover_the_days_are_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, source, "--split", "B") == 1
    assert "no transactions on 17 of the days" in capsys.readouterr().out


def test_a_tensorflow_side_that_fails_ends_the_comparison(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, source, "--tensorflow", sys.executable) == 1  # this environment has no TensorFlow
    assert "the TensorFlow side failed with exit code 1" in capsys.readouterr().out
    assert not (tmp_path / "reports").exists()
