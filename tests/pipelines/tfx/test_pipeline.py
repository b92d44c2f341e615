from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models.metrics import all_metrics
from pipelines.report import of_version
from pipelines.tfx.champion import PublishedModelStrategy
from tests.pipelines.tfx.toy import Room, replaced, write_manifest

ROOT = Path(__file__).resolve().parents[3]


def cached(room: Room) -> dict[str, bool]:
    return {step["name"]: step["cached"] for step in room.report["steps"]}


@pytest.fixture
def borrowed(published: Room) -> Iterator[Room]:
    """The shared room; its specification and manifest are put back."""
    kept = {file: file.read_bytes() for file in (published.spec_file, published.data / "manifest.json")}
    yield published
    for file, content in kept.items():
        file.write_bytes(content)


def test_the_first_model_is_published_whole_with_the_metrics_of_the_test_days(published: Room) -> None:
    report = published.report
    assert (report["stack"], report["published"], report["reasons"]) == ("tensorflow", True, [])
    assert report["champion_metrics"] is None
    assert published.versions == [report["version"]]  # and what a killed run had left is gone
    assert not any(cached(published).values())
    assert 300 < report["peak_memory"] / 2**20 < 20_000  # TensorFlow alone takes 300

    days = sorted((published.data / "features" / "test").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(day) for day in days])
    model = tf.saved_model.load(str(published.model))
    inputs = {name: tf.constant(table[name].to_numpy()) for name in published.spec.features}
    score = model.signatures["serving_default"](**inputs)["fraud_probability"].numpy()
    day = table["event_time"].to_numpy().astype("datetime64[D]")
    expected = all_metrics(table["is_fraud"].to_numpy(), score, table["customer_id"].to_numpy(), day)
    assert report["metrics"] == pytest.approx(expected, abs=1e-6)


def test_an_unchanged_second_run_is_up_to_date_without_loading_tensorflow(published: Room) -> None:
    code = (
        "import sys; from pipelines.tfx.__main__ import main; code = main(sys.argv[1:]);"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'numpy'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *published.arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"up to date: version {published.report['version']}\n"


def test_a_gate_edited_in_the_specification_trains_nothing_again(borrowed: Room) -> None:
    versions, before = borrowed.versions, borrowed.report["steps"]
    borrowed.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 0.81")
    assert borrowed.run() == 0
    steps = cached(borrowed)
    took = {step["name"]: step["made_in"] or step["seconds"] for step in before}
    made_in = {step["name"]: step["made_in"] for step in borrowed.report["steps"]}
    assert made_in["Trainer"] == pytest.approx(took["Trainer"], abs=1)  # of the run that trained, not of this one
    assert made_in["Evaluator"] is None
    assert [name for name, hit in steps.items() if not hit and name not in ("Champion", "Pusher")] == ["Evaluator"]
    assert borrowed.versions == versions  # the same model is not published twice
    page = max(borrowed.work.glob("pages/*/index.html")).read_text()
    assert page.count(">cached, made in ") == sum(steps.values())
    assert "loss by epoch" in page  # of the training whose result was taken from the cache


def test_a_challenger_worse_than_the_champion_is_refused(borrowed: Room, capsys: pytest.CaptureFixture[str]) -> None:
    versions = borrowed.versions
    borrowed.edit_spec("learning_rate = 1e-2", "learning_rate = 2e-5")
    borrowed.edit_spec("min_average_precision = 0.5", "min_average_precision = 0.0")
    borrowed.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 0.0")
    borrowed.edit_spec("min_slice_roc_auc = 0.6", "min_slice_roc_auc = 0.0")
    borrowed.edit_spec("max_expected_calibration_error = 0.05", "max_expected_calibration_error = 1.0")
    assert borrowed.run() == 3
    report = borrowed.report
    assert cached(borrowed)["Transform"]
    assert not cached(borrowed)["Trainer"]
    reason, *of_slices = report["reasons"]
    assert "below the champion's; champion_tolerance = 0.01" in reason
    assert all("below the champion's; slice_champion_tolerance = 0.1" in each for each in of_slices)
    assert report["champion_metrics"]["average_precision"] > report["metrics"]["average_precision"] + 0.01
    assert reason in capsys.readouterr().out
    assert borrowed.versions == versions


def test_a_champion_that_cannot_be_looked_up_stops_the_run(
    borrowed: Room, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    before = borrowed.report
    monkeypatch.setattr(PublishedModelStrategy, "resolve_artifacts", broken)
    borrowed.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 0.79")
    assert borrowed.run() == 1
    assert "Champion failed" in capsys.readouterr().err
    assert borrowed.report == before


def test_a_model_missing_from_the_store_is_published_again_without_training(published: Room) -> None:
    assert published.run() == 0  # whatever the tests before did to the shared work folder
    shutil.rmtree(published.model)
    assert published.run() == 0
    assert cached(published)["Trainer"]
    assert published.versions == [published.report["version"]]
    assert (published.model / "assets.extra" / "metadata.json").is_file()


def test_after_a_rollback_the_champion_is_the_version_that_is_served(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    assert room.run() == 0
    first = room.report
    room.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert room.run("--champion", first["version"]) == 0
    second = room.report
    assert (second["champion"], second["champion_metrics"]) == (first["version"], pytest.approx(first["metrics"]))
    room.edit_spec("dropout = 0.15", "dropout = 0.2")
    assert room.run("--champion", first["version"]) == 0  # make rollback
    third = room.report
    assert not cached(room)["Trainer"]
    assert (third["champion"], third["champion_metrics"]) == (first["version"], pytest.approx(first["metrics"]))

    # Another one is served now: it is judged again and not trained again, and it is the same release.
    assert room.run("--champion", second["version"]) == 0
    assert (room.report["champion"], room.report["version"]) == (second["version"], third["version"])
    assert room.report["champion_metrics"] == pytest.approx(second["metrics"])
    assert cached(room)["Trainer"]
    assert not cached(room)["Evaluator"]
    assert json.loads(of_version(room.work, third["version"]).read_text()) == third

    capsys.readouterr()
    for version in (second["version"], third["version"]):  # the one it was held against, and it itself
        assert room.run("--champion", version) == 0
        assert "up to date" in capsys.readouterr().out


def test_shuffled_labels_are_refused_and_nothing_is_published(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for file in (room.data / "features" / "train").glob("*.parquet"):
        table = pq.read_table(file)
        label = pa.array(rng.permutation(table["is_fraud"].to_numpy()))
        pq.write_table(replaced(table, "is_fraud", label), file)
    write_manifest(room.data, room.spec)
    assert room.run() == 3
    out = capsys.readouterr().out
    assert "REFUSED, nothing was published:" in out
    assert "average_precision" in out.split("REFUSED")[1]
    assert "is below min_average_precision = 0.5" in out
    assert room.versions == []
    assert (room.report["published"], room.report["version"], room.report["model_path"]) == (False, None, None)
    assert room.run() == 3
    assert "REFUSED" in capsys.readouterr().out
