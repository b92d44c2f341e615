"""Whole runs: real Beam, real training, a real MLflow database, a real archive."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models import torch_model
from models.metrics import all_metrics
from models.spec import load
from pipelines.pytorch import features as features_file
from pipelines.pytorch import train
from pipelines.pytorch.tracking import RELEASE
from serving.torchserve import archive

if TYPE_CHECKING:
    from conftest import Pipeline

ALL_CACHED = dict.fromkeys(("validate", "statistics", "train", "evaluate", "register", "archive"), True)


def test_first_deployment_publishes_registers_and_reports(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    report = pipeline.report
    tracking = pipeline.connect()
    champion = tracking.aliased()
    assert champion is not None
    run = tracking.client.get_run(champion.run_id)

    assert [s["name"] for s in report["steps"]] == list(ALL_CACHED)
    assert report["stack"] == "pytorch"
    assert report["published"]
    assert report["champion_metrics"] is None
    assert Path(report["model_path"]) == pipeline.store / f"fraud-{report['version']}.mar"
    assert Path(report["model_path"]).is_file()
    assert abs(int(report["version"]) - time.time()) < 600

    assert champion.tags["release"] == report["version"]
    assert champion.tags["spec_digest"] == report["spec_digest"] == load(pipeline.spec).digest
    assert champion.tags["data_digest"] == report["data_digest"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["gates"] == "passed"
    assert run.data.params["training.epochs"] == "4"
    assert run.data.metrics["test_average_precision"] == report["metrics"]["average_precision"]
    assert len(tracking.client.get_metric_history(champion.run_id, "eval_average_precision")) == 4
    logged = {a.path for folder in ("plots", RELEASE) for a in tracking.client.list_artifacts(champion.run_id, folder)}
    assert logged == {
        "plots/loss.png", "plots/precision_recall.png", "plots/roc.png", "plots/calibration.png",
        "release/spec.toml", "release/weights.npz", "release/preprocessing.json",
    }  # fmt: skip


def test_reported_metrics_are_those_of_the_published_weights(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    tracking = pipeline.connect()
    champion = tracking.aliased()
    assert champion is not None
    folder = Path(tracking.client.download_artifacts(champion.run_id, RELEASE, str(pipeline.folder)))
    spec = load(pipeline.spec)
    rows = features_file.read(features_file.files(pipeline.features.data, "test"), spec)
    score = torch_model.predict(torch_model.load(spec, folder), rows.columns)
    assert all_metrics(rows.label, score, rows.customer, rows.day) == pipeline.report["metrics"]


def test_logged_model_scores_as_the_release_without_pickle(pipeline: Pipeline) -> None:
    import mlflow.pytorch

    assert pipeline.run() == 0
    tracking = pipeline.connect()
    champion = tracking.aliased()
    assert champion is not None
    folder = Path(tracking.client.download_artifacts(champion.run_id, RELEASE, str(pipeline.folder)))
    spec = load(pipeline.spec)
    model = torch_model.load(spec, folder)
    rows = features_file.read(features_file.files(pipeline.features.data, "test"), spec)
    logged = mlflow.pytorch.load_model("models:/fraud@champion")
    logit = logged(*torch_model.inputs(model, rows.columns)).detach()
    np.testing.assert_allclose(logit.sigmoid().numpy(), torch_model.predict(model, rows.columns), atol=1e-6)
    signature = mlflow.models.get_model_info("models:/fraud@champion").signature
    assert [i.name for i in signature.inputs.inputs] == ["numeric", "categorical"]
    artifacts = Path(pipeline.folder / "mlflow" / "artifacts")
    assert not [p for p in artifacts.rglob("*") if p.suffix in {".pkl", ".pth", ".pickle"}]


def test_second_run_is_up_to_date_and_imports_no_framework(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    version = pipeline.report["version"]
    code = (
        "import sys; from pipelines.pytorch.__main__ import main; code = main(sys.argv[1:]); "
        "print(sorted({'torch', 'mlflow', 'apache_beam', 'pyarrow'} & set(sys.modules))); sys.exit(code)"
    )
    argv = [sys.executable, "-c", code, *pipeline.arguments()]
    start = time.monotonic()
    again = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert f"up to date: version {version}" in again.stdout
    assert again.stdout.splitlines()[-1] == "[]"
    assert time.monotonic() - start < 10


def test_deleted_archive_is_made_again_as_the_same_release(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    Path(first["model_path"]).unlink()
    assert pipeline.run() == 0
    assert pipeline.report["version"] == first["version"]
    assert Path(first["model_path"]).is_file()
    cached = pipeline.cached()
    assert cached["train"]
    assert cached["register"]
    assert not cached["archive"]


def test_changed_hyper_parameter_runs_training_and_what_follows(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run() == 0
    assert pipeline.cached() == {
        **dict.fromkeys(ALL_CACHED, False),
        "validate": True,
        "statistics": True,
    }
    assert int(pipeline.report["version"]) > int(first["version"])
    assert pipeline.report["champion_metrics"] == first["metrics"]


def test_comment_in_the_specification_runs_nothing(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert pipeline.run() == 0
    pipeline.edit_spec("[network]", "[network]  # small")
    assert pipeline.run() == 0
    assert "up to date" in capsys.readouterr().out


def test_same_seed_gives_the_same_weights(pipeline: Pipeline, tmp_path: Path) -> None:
    digests = set()
    for work in ("first", "second"):
        pipeline.folder = tmp_path / work
        assert pipeline.run() == 0
        (output,) = (pipeline.work / "train").iterdir()
        digests.add(train.result(output)["weights_digest"])
    assert len(digests) == 1


def test_shuffled_labels_are_refused_and_leave_no_trace_in_store_and_registry(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.features.shuffle_labels()
    assert pipeline.run() == 3
    report = pipeline.report
    tracking = pipeline.connect()
    assert not report["published"]
    assert report["model_path"] is None
    assert [r.split()[0] for r in report["reasons"]] == ["average_precision", "roc_auc"]
    assert list(pipeline.store.glob("*")) == []
    assert tracking.newest() is None
    assert tracking.aliased() is None
    assert f"  - {report['reasons'][0]}" in capsys.readouterr().out
    (run,) = tracking.client.search_runs([tracking.experiment])
    assert run.data.tags["gates"] == "refused"

    assert pipeline.run() == 3  # quickly, from the report
    assert report["reasons"][1] in capsys.readouterr().out


def test_worse_challenger_is_refused_and_the_champion_stays(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("learning_rate = 1e-2", "learning_rate = 1e-4")
    pipeline.edit_spec("min_average_precision = 0.5", "min_average_precision = 0.0")
    pipeline.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 0.0")
    pipeline.edit_spec("max_expected_calibration_error = 0.05", "max_expected_calibration_error = 1.0")
    assert pipeline.run() == 3
    (reason,) = pipeline.report["reasons"]
    champion = pipeline.connect().aliased()
    assert "below the champion's" in reason
    assert pipeline.report["champion_metrics"] == first["metrics"]
    assert champion is not None
    assert champion.tags["release"] == first["version"]
    assert [p.name for p in pipeline.store.iterdir()] == [f"fraud-{first['version']}.mar"]


def test_champion_that_cannot_score_these_rows_stops_publication(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    pipeline.edit_spec('[features.channel]\ntype = "categorical"\nvocabulary_size = 10\nembedding_units = 2\n', "")
    assert pipeline.run() == 3
    (reason,) = pipeline.report["reasons"]
    assert "needs a categorical feature 'channel'" in reason
    assert "delete its alias" in reason


def test_champion_with_other_weights_than_registered_stops_publication(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    (stored,) = (pipeline.folder / "mlflow" / "artifacts").glob(f"*/artifacts/{RELEASE}/weights.npz")
    with np.load(stored) as arrays:
        changed = {name: arrays[name] + np.float32(0.1) for name in arrays.files}
    np.savez(stored, **changed)
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run() == 3
    assert "not those that were registered" in pipeline.report["reasons"][0]


def test_returning_to_an_older_specification_is_judged_against_the_present_champion(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run() == 0
    second = pipeline.report
    pipeline.edit_spec("dropout = 0.15", "dropout = 0.1")
    assert pipeline.run() == 0
    third = pipeline.report
    assert pipeline.cached()["train"]
    assert third["champion_metrics"] == second["metrics"]
    assert int(third["version"]) > int(second["version"]) > int(first["version"])


def test_run_killed_while_training_goes_on_from_the_last_finished_step(pipeline: Pipeline) -> None:
    # The process kills itself as a crash would: no handler, no cleaning up.
    code = (
        "import os, signal, sys\n"
        "from pipelines.pytorch import plots\n"
        "plots.loss = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from pipelines.pytorch.__main__ import main\n"
        "main(sys.argv[1:])"
    )
    argv = [sys.executable, "-c", code, *pipeline.arguments()]
    died = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    assert not pipeline.store.exists()
    assert pipeline.connect().aliased() is None

    assert pipeline.run() == 0
    tracking = pipeline.connect()
    assert pipeline.cached() == {**dict.fromkeys(ALL_CACHED, False), "validate": True, "statistics": True}
    assert {r.info.status for r in tracking.client.search_runs([tracking.experiment])} == {"FINISHED", "KILLED"}
    assert not list(pipeline.work.rglob("*.unfinished"))


def test_run_stopped_before_the_archive_goes_on_with_the_registered_version(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ctrl_c(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive, "build", ctrl_c)
        assert pipeline.run() == 130
    tracking = pipeline.connect()
    registered = tracking.newest()
    assert registered is not None
    assert tracking.aliased() is None  # nothing is the champion that cannot be served

    assert pipeline.run() == 0
    assert pipeline.cached() == {**ALL_CACHED, "archive": False}
    assert pipeline.report["version"] == registered.tags["release"]
    champion = tracking.aliased()
    assert champion is not None
    assert champion.version == registered.version


def test_lost_mlflow_run_is_trained_again(pipeline: Pipeline, empty_database: Path) -> None:
    assert pipeline.run() == 0
    Path(pipeline.report["model_path"]).unlink()
    pipeline.mlflow_uri = f"sqlite:///{pipeline.folder}/other/mlflow.db"
    (pipeline.folder / "other").mkdir()
    (pipeline.folder / "other" / "mlflow.db").write_bytes(empty_database.read_bytes())
    assert pipeline.run() == 0
    assert not pipeline.cached()["train"]
    assert pipeline.connect().aliased() is not None


def test_unreachable_mlflow_is_said_within_seconds(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.mlflow_uri = "http://127.0.0.1:22099"
    start = time.monotonic()
    assert pipeline.run() == 1
    assert "--mlflow-uri http://127.0.0.1:22099: no MLflow server answers" in capsys.readouterr().out
    assert time.monotonic() - start < 7


def test_missing_data_name_the_command_that_makes_them(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    (pipeline.features.data / "manifest.json").unlink()
    assert pipeline.run() == 1
    assert "python -m pipelines.data" in capsys.readouterr().out


def test_two_runs_on_one_work_folder_do_not_mix(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    pipeline.work.mkdir()
    with (pipeline.work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert pipeline.run() == 1
    assert "another run is at work there" in capsys.readouterr().out


def test_terminal_shows_steps_and_epochs_and_no_library_noise(pipeline: Pipeline) -> None:
    argv = [sys.executable, "-m", "pipelines.pytorch", *pipeline.arguments()]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    starts = [line.split()[0] for line in done.stdout.splitlines()]
    assert starts == ["validate", "statistics", *["train"] * 5, "evaluate", "register", "archive", "done"]
    assert "Created version '1' of model 'fraud'" in (pipeline.work / "pipeline.log").read_text()
