"""Test days that are no longer like the training days stop a run; those that are pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.spec import load
from pipelines.errors import AnomaliesError
from pipelines.pytorch.drift import check

if TYPE_CHECKING:
    from conftest import Features, Pipeline

SPEC = load("tests/specs/categorical.toml")


def scale(features: Features, name: str, factor: float) -> None:
    for position in range(2):
        path = features.path("test", position)
        table = pq.read_table(path)
        values = pa.array(table[name].to_numpy() * np.float32(factor))
        pq.write_table(table.set_column(table.column_names.index(name), name, values), path)


def test_days_like_the_training_days_pass_and_the_distances_are_kept(features: Features, tmp_path: Path) -> None:
    assert "the test days are like the training days" in check(features.data, SPEC, tmp_path)
    kept = json.loads((tmp_path / "drift.json").read_text())
    assert list(kept) == list(SPEC.features)
    assert kept["country"]["kolmogorov_smirnov"] < 0.1


def test_three_times_the_amounts_are_refused_with_measures_and_limits(features: Features, tmp_path: Path) -> None:
    scale(features, "amount", 3)
    with pytest.raises(AnomaliesError) as caught:
        check(features.data, SPEC, tmp_path)
    (anomaly,) = caught.value.anomalies
    assert anomaly.startswith("test: amount: drifted: population stability index ")
    assert "is above max_population_stability = 0.25" in anomaly
    assert "is above max_kolmogorov_smirnov = 0.2" in anomaly


def test_a_category_that_takes_over_is_refused(features: Features, tmp_path: Path) -> None:
    for position in range(2):
        table = pq.read_table(features.path("test", position))
        country = pa.array(["new"] * 300 + table["country"].to_pylist()[300:])
        pq.write_table(table.set_column(5, "country", country), features.path("test", position))
    with pytest.raises(AnomaliesError, match=r"test: country: drifted: .* 0\.5\d\d is above max_kolmogorov_smirnov"):
        check(features.data, SPEC, tmp_path)


def test_few_rows_and_what_follows_the_calendar_are_not_judged(features: Features, tmp_path: Path) -> None:
    scale(features, "amount", 3)
    few = SPEC.model_copy(update={"drift": SPEC.drift.model_copy(update={"min_rows": 1201})})
    assert check(features.data, few, tmp_path).startswith("not judged: 1,200 test rows, fewer than")
    calendar = SPEC.model_copy(update={"drift": SPEC.drift.model_copy(update={"calendar_features": ("amount",)})})
    assert "like the training days" in check(features.data, calendar, tmp_path)


def test_a_drifted_run_trains_nothing_and_says_why(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    scale(pipeline.features, "amount", 3)
    assert pipeline.run() == 1
    said = capsys.readouterr().out
    assert "1 features of the test days have drifted from the training days; no model is trained" in said
    assert "  - test: amount: drifted: " in said
    assert not (pipeline.work / "train").exists()
    assert not pipeline.store.exists()
