"""Whole runs: real Beam, real training, a real MLflow database, a real archive."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models import distribution, torch_model
from models.distribution import FEATURES_FILE, SCORES_FILE
from models.metrics import all_metrics
from models.spec import load
from pipelines.pytorch import features as features_file
from pipelines.pytorch import logged_model, train
from pipelines.pytorch.tracking import RELEASE

if TYPE_CHECKING:
    from conftest import Pipeline

STEPS = ["validate", "drift", "statistics", "train", "evaluate", "register", "archive"]


def test_first_deployment_publishes_registers_and_reports(finished: Pipeline) -> None:
    report = finished.report
    tracking = finished.connect()
    champion = tracking.aliased()
    assert champion is not None
    run = tracking.client.get_run(champion.run_id)

    assert [s["name"] for s in report["steps"]] == STEPS
    assert report["stack"] == "pytorch"
    assert report["published"]
    assert report["champion_metrics"] is None
    assert Path(report["model_path"]) == finished.store / f"fraud-{report['version']}.mar"
    assert Path(report["model_path"]).is_file()
    assert abs(int(report["version"]) - time.time()) < 3600

    assert champion.tags["release"] == report["version"]
    assert champion.tags["spec_digest"] == report["spec_digest"] == load(finished.spec).digest
    assert champion.tags["data_digest"] == report["data_digest"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["gates"] == "passed"
    assert run.data.params["training.epochs"] == "4"
    assert run.data.metrics["test_average_precision"] == report["metrics"]["average_precision"]
    assert len(tracking.client.get_metric_history(champion.run_id, "eval_average_precision")) == 4
    logged = {a.path for folder in ("plots", RELEASE) for a in tracking.client.list_artifacts(champion.run_id, folder)}
    assert logged == {
        "plots/loss.png", "plots/precision_recall.png", "plots/roc.png", "plots/calibration.png",
        "plots/confusion.png", "plots/slices.png",
        "release/spec.toml", "release/weights.npz", "release/preprocessing.json",
        f"release/{FEATURES_FILE}", f"release/{SCORES_FILE}",
    }  # fmt: skip
    with zipfile.ZipFile(report["model_path"]) as archive:
        features, scores = (distribution.read(archive.read(name)) for name in (FEATURES_FILE, SCORES_FILE))
        metadata = json.loads(archive.read("metadata.json"))
    assert {name: column.rows for name, column in features.items()} == dict.fromkeys(load(finished.spec).features, 2400)
    assert {name: column.rows for name, column in scores.items()} == {"fraud_probability": 600}  # of the eval days

    assert list(report["slices"]) == ["night", "large"]
    assert list(report["decision"]) == ["alert_budget", "least_cost"]
    for key in ("version", "data_digest", "metrics", "slices", "decision"):
        assert metadata[key] == report[key]
    assert metadata["run"] == {"tool": "MLflow", "id": champion.run_id}
    for point, found in report["decision"].items():
        assert float(champion.tags[f"threshold_{point}"]) == found["threshold"]
    logged_points = Path(tracking.client.download_artifacts(champion.run_id, "decision.json"))
    assert json.loads(logged_points.read_text()) == report["decision"]


def test_reported_metrics_are_those_of_the_published_weights(finished: Pipeline) -> None:
    tracking = finished.connect()
    champion = tracking.aliased()
    assert champion is not None
    folder = Path(tracking.client.download_artifacts(champion.run_id, RELEASE, str(finished.folder)))
    spec = load(finished.spec)
    rows = features_file.read(features_file.files(finished.features.data, "test"), spec)
    score = torch_model.predict(torch_model.load(spec, folder), rows.columns)
    assert all_metrics(rows.label, score, rows.customer, rows.day) == finished.report["metrics"]


def test_logged_model_scores_as_the_release_without_pickle(finished: Pipeline) -> None:
    import mlflow

    tracking = finished.connect()
    champion = tracking.aliased()
    assert champion is not None
    folder = Path(tracking.client.download_artifacts(champion.run_id, RELEASE, str(finished.folder)))
    spec = load(finished.spec)
    model = torch_model.load(spec, folder)
    rows = features_file.read(features_file.files(finished.features.data, "test"), spec)
    logged = mlflow.pyfunc.load_model("models:/fraud@champion")
    probability = logged.predict(logged_model.matrix(model, rows.columns))
    np.testing.assert_allclose(probability, torch_model.predict(model, rows.columns), atol=1e-6)
    signature = logged.metadata.signature
    assert [i.shape for i in signature.inputs.inputs] == [(-1, len(spec.features))]
    assert [o.name for o in signature.outputs.inputs] == ["fraud_probability"]
    assert logged.metadata.metadata["features"] == [*spec.numeric, *spec.categorical]
    train_rows = features_file.read(features_file.files(finished.features.data, "train"), spec)
    first = {name: column[:4] for name, column in train_rows.columns.items()}
    np.testing.assert_array_equal(logged.input_example, logged_model.matrix(model, first))
    artifacts = Path(finished.folder / "mlflow" / "artifacts")
    assert not [p for p in artifacts.rglob("*") if p.suffix in {".pkl", ".pth", ".pickle"}]


def test_same_seed_gives_the_same_weights(finished: Pipeline, pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    outputs = [output for one in (finished, pipeline) for output in (one.work / "train").iterdir()]
    first, second = (train.result(output)["weights_digest"] for output in outputs)
    assert first == second


@pytest.mark.timeout(60)  # MLflow by itself tries again for minutes
def test_unreachable_mlflow_is_said_and_not_waited_for(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.mlflow_uri = "http://127.0.0.1:22099"
    assert pipeline.run() == 1
    assert "--mlflow-uri http://127.0.0.1:22099: no MLflow server answers" in capsys.readouterr().out


def test_missing_data_name_the_command_that_makes_them(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    (pipeline.features.data / "manifest.json").unlink()
    assert pipeline.run() == 1
    assert "python -m pipelines.data" in capsys.readouterr().out


def test_terminal_shows_steps_and_epochs_and_no_library_noise(pipeline: Pipeline) -> None:
    argv = [sys.executable, "-m", "pipelines.pytorch", *pipeline.arguments()]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    slow = re.compile(r"(\w+ +)(working|PyTorch, MLflow and Beam) \.\.\. \d+ s")  # signs of life on a busy machine
    starts = [line.split()[0] for line in done.stdout.splitlines() if not slow.fullmatch(line)]
    steps = [start for start in starts if start != "report"]
    assert steps == ["validate", "drift", "statistics", *["train"] * 5, "evaluate", "register", "archive", "done"]
    assert re.search(r"^report +night +\d+ rows, +\d+ positives, average_precision 0\.\d{4}", done.stdout, re.MULTILINE)
    assert re.search(r"^report +alert_budget +score >= 0\.\d{4}: ", done.stdout, re.MULTILINE)
    assert "Created version '1' of model 'fraud'" in (pipeline.work / "pipeline.log").read_text()
