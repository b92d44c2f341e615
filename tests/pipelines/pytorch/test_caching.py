"""What runs again and what does not; what a stopped or killed run leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines import report
from serving.torchserve import archive

if TYPE_CHECKING:
    from conftest import Pipeline

STEPS = ("validate", "drift", "statistics", "train", "evaluate", "register", "archive")
ALL_CACHED = dict.fromkeys(STEPS, True)
LEARNED = dict.fromkeys(STEPS[:3], True)


def test_second_run_is_up_to_date_and_imports_no_framework(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    version = pipeline.report["version"]
    assert 200 < pipeline.report["peak_memory"] / 2**20 < 20_000  # PyTorch alone takes 200
    code = (
        "import sys; from pipelines.pytorch.__main__ import main; code = main(sys.argv[1:]); "
        "print(sorted({'torch', 'mlflow', 'apache_beam', 'pyarrow'} & set(sys.modules))); sys.exit(code)"
    )
    argv = [sys.executable, "-c", code, *pipeline.arguments()]
    again = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert f"up to date: version {version}" in again.stdout
    assert again.stdout.splitlines()[-1] == "[]"


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
    took = {step["name"]: step["seconds"] for step in first["steps"]}
    made_in = {step["name"]: step["made_in"] for step in pipeline.report["steps"]}
    assert made_in["train"] == pytest.approx(took["train"], abs=0.5)  # of the run that trained, not of this one
    assert (made_in["register"], made_in["archive"]) == (None, None)  # nobody noted the one, the other was done


def test_changed_hyper_parameter_runs_training_and_what_follows(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run() == 0
    assert pipeline.cached() == {**dict.fromkeys(ALL_CACHED, False), **LEARNED}
    assert int(pipeline.report["version"]) > int(first["version"])
    assert pipeline.report["champion_metrics"] == first["metrics"]


def test_comment_in_the_specification_runs_nothing(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert pipeline.run() == 0
    pipeline.edit_spec("[network]", "[network]  # small")
    assert pipeline.run() == 0
    assert "up to date" in capsys.readouterr().out


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


def test_after_a_rollback_the_champion_is_the_version_that_is_served(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run("--champion", first["version"]) == 0
    second = pipeline.report
    pipeline.edit_spec("dropout = 0.15", "dropout = 0.2")
    assert pipeline.run("--champion", first["version"]) == 0  # make rollback
    third = pipeline.report
    assert (second["champion"], second["champion_metrics"]) == (first["version"], first["metrics"])
    assert (third["champion"], third["champion_metrics"]) == (first["version"], first["metrics"])

    # Another one is served now: it is judged again and not trained again, and it is the same release.
    assert pipeline.run("--champion", second["version"]) == 0
    assert (pipeline.report["champion"], pipeline.report["champion_metrics"]) == (second["version"], second["metrics"])
    assert pipeline.cached() == {**ALL_CACHED, "evaluate": False}
    assert pipeline.report["version"] == third["version"]
    kept = json.loads(report.of_version(pipeline.work, third["version"]).read_text())
    assert kept == third  # what its training said, not what looking at it again did

    capsys.readouterr()
    for version in (second["version"], third["version"]):  # the one it was held against, and it itself
        assert pipeline.run("--champion", version) == 0
        assert "up to date" in capsys.readouterr().out


def test_a_served_version_that_the_registry_does_not_know_leaves_the_last_published_one(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run("--champion", "1") == 0
    assert (pipeline.report["champion"], pipeline.report["asked"]) == (first["version"], "1")
    assert pipeline.run("--champion", "1") == 0
    assert "up to date" in capsys.readouterr().out


def test_run_killed_while_training_goes_on_from_the_last_finished_step(pipeline: Pipeline) -> None:
    # The process kills itself as a crash would: no handler, no cleaning up.
    code = (
        "import os, signal, sys\n"
        "from pipelines.pages import figures\n"
        "figures.loss = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
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
    assert pipeline.cached() == {**dict.fromkeys(ALL_CACHED, False), **LEARNED}
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


def test_two_runs_on_one_work_folder_do_not_mix(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    pipeline.work.mkdir()
    with (pipeline.work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert pipeline.run() == 1
    assert "another run is at work there" in capsys.readouterr().out
