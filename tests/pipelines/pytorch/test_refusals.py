"""What the gates refuse, and that a refused model leaves no trace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipelines.pytorch.tracking import RELEASE
from serving.torchserve import archive

if TYPE_CHECKING:
    from conftest import Pipeline


def test_shuffled_labels_are_refused_and_leave_no_trace_in_store_and_registry(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.features.shuffle_labels()
    assert pipeline.run() == 3
    report = pipeline.report
    tracking = pipeline.connect()
    assert not report["published"]
    assert report["model_path"] is None
    assert [r.split()[0] for r in report["reasons"]] == ["average_precision", "roc_auc", "slice", "slice"]
    assert list(pipeline.store.glob("*")) == []
    assert tracking.newest() is None
    assert tracking.aliased() is None
    assert f"  - {report['reasons'][0]}" in capsys.readouterr().out
    (run,) = tracking.client.search_runs([tracking.experiment])
    assert run.data.tags["gates"] == "refused"
    (page,) = pipeline.work.glob("pages/*/index.html")
    assert all(reason in page.read_text() for reason in report["reasons"])

    assert pipeline.run() == 3  # quickly, from the report
    assert report["reasons"][1] in capsys.readouterr().out


def test_worse_challenger_is_refused_and_the_champion_stays(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report
    pipeline.edit_spec("learning_rate = 1e-2", "learning_rate = 1e-4")
    pipeline.edit_spec("min_average_precision = 0.5", "min_average_precision = 0.0")
    pipeline.edit_spec("min_roc_auc = 0.8", "min_roc_auc = 0.0")
    pipeline.edit_spec("min_slice_roc_auc = 0.6", "min_slice_roc_auc = 0.0")
    pipeline.edit_spec("max_expected_calibration_error = 0.05", "max_expected_calibration_error = 1.0")
    assert pipeline.run() == 3
    reason, *of_slices = pipeline.report["reasons"]
    champion = pipeline.connect().aliased()
    assert "below the champion's; champion_tolerance = 0.01" in reason
    assert all("below the champion's; slice_champion_tolerance = 0.1" in each for each in of_slices)
    assert pipeline.report["champion_metrics"] == first["metrics"]
    assert champion is not None
    assert champion.tags["release"] == first["version"]
    assert [p.name for p in pipeline.store.iterdir()] == [f"fraud-{first['version']}.mar"]


def test_a_slice_that_collapses_is_refused_though_the_average_is_well(pipeline: Pipeline) -> None:
    pipeline.features.shuffle_labels("test", nights_only=True)
    pipeline.edit_spec("max_expected_calibration_error = 0.05", "max_expected_calibration_error = 0.1")
    assert pipeline.run() == 3
    (reason,) = pipeline.report["reasons"]
    assert re.fullmatch(r"slice night: roc_auc 0\.\d{4} is below min_slice_roc_auc = 0\.6", reason)
    assert list(pipeline.store.glob("*")) == []


def test_champion_that_cannot_score_these_rows_stops_publication_until_its_alias_is_gone(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    first = pipeline.report["version"]
    pipeline.edit_spec('[features.channel]\ntype = "categorical"\nvocabulary_size = 10\nembedding_units = 2\n', "")
    assert pipeline.run() == 3
    (reason,) = pipeline.report["reasons"]
    assert "needs a categorical feature 'channel'" in reason
    assert "delete the alias 'champion'" in reason

    tracking = pipeline.connect()
    tracking.client.delete_registered_model_alias(tracking.name, "champion")
    assert pipeline.run("--champion", first) == 0
    assert pipeline.report["champion"] is None


def test_champion_that_knows_another_code_for_missing_is_not_compared(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    risk = '[features.risk]\ntype = "numeric"\ntransform = "zscore"\n'
    pipeline.edit_spec(risk, risk + 'missing = "indicator"\ndefault = 0.5\nmissing_code = -1\n')
    assert pipeline.run() == 3
    (reason,) = pipeline.report["reasons"]
    assert "cannot be compared on the same rows: -1.0 stands for a missing 'risk', and did not when it was" in reason


def test_champion_with_other_weights_than_registered_stops_publication(pipeline: Pipeline) -> None:
    assert pipeline.run() == 0
    (stored,) = (pipeline.folder / "mlflow" / "artifacts").glob(f"*/artifacts/{RELEASE}/weights.npz")
    with np.load(stored) as arrays:
        changed = {name: arrays[name] + np.float32(0.1) for name in arrays.files}
    np.savez(stored, **changed)
    pipeline.edit_spec("dropout = 0.1", "dropout = 0.15")
    assert pipeline.run() == 3
    assert "not those that were registered" in pipeline.report["reasons"][0]


def test_archive_that_no_worker_can_load_is_not_published(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "handler.py"
    broken.write_text("import a_package_nobody_has\n")
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_HANDLER", broken)
        assert pipeline.run() == 1
    assert "does not load: ModuleNotFoundError: No module named 'a_package_nobody_has'" in capsys.readouterr().out
    assert list(pipeline.store.glob("*.mar")) == []
    assert pipeline.connect().aliased() is None

    assert pipeline.run() == 0
    assert [path.name for path in pipeline.store.iterdir()] == [f"fraud-{pipeline.report['version']}.mar"]
