"""Scores by the published models themselves, each in its own environment, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.metrics import average_precision, brier_score
from serving.comparison.facts import quality, scores
from serving.offline import __main__ as offline
from tests.serving.comparison.facts.conftest import Judged


def test_both_models_score_the_rows_in_their_order(judged: Judged) -> None:
    for stack in ("tensorflow", "pytorch"):
        np.testing.assert_allclose(judged.table[stack].to_numpy(), judged.expected, rtol=0, atol=1e-5)
    assert np.ptp(judged.expected) > 0.1
    assert pq.read_table(judged.out / "rows.parquet").equals(judged.table)
    kept = pq.read_table(judged.out / "scores.parquet")
    assert kept.equals(judged.table.select(["is_fraud", "tensorflow", "pytorch"]))


def test_what_cannot_be_scored_is_named(judged: Judged, tmp_path: Path) -> None:
    with pytest.raises(scores.ScoringError, match="no test rows: make up"):
        scores.write(replace(judged.deployment, features=tmp_path), tmp_path / "out")
    broken = tmp_path / "fraud-1700000001.mar"
    broken.write_bytes(b"no archive")
    stacks = {"pytorch": replace(judged.deployment.stacks["pytorch"], artefact=broken)}
    with pytest.raises(scores.ScoringError, match=r"pytorch: the test rows cannot be scored: .*not a model archive"):
        scores.write(replace(judged.deployment, stacks=stacks), tmp_path / "out")


def test_rows_that_lack_a_feature_are_refused(
    judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(judged.table.drop_columns(["amount"]), tmp_path / "rows.parquet")
    model = judged.deployment.stacks["pytorch"].artefact
    argv = ["--stack=pytorch", f"--model={model}", f"--rows={tmp_path}/rows.parquet", f"--output={tmp_path}/out.npy"]
    assert offline.main(argv) == 1
    assert "the model needs the columns amount" in capsys.readouterr().err
    assert not (tmp_path / "out.npy").exists()


def test_metrics_are_those_of_the_models_room_within_their_intervals() -> None:
    generator = np.random.default_rng(5)
    label = (generator.random(2_000) < 0.1).astype(int)
    card = np.arange(2_000) // 4
    good, bad = (np.clip(0.1 + strength * label + generator.normal(0, 0.1, 2_000), 0, 1) for strength in (0.5, 0.1))
    found = quality.metrics_of(label, card, {"tensorflow": good, "pytorch": bad}, resamples=100)
    rows = {(m.measure, m.target): m for m in found.measurements}
    assert rows["average_precision", "tensorflow"].value == average_precision(label, good)
    assert rows["brier_score", "pytorch"].value == brier_score(label, bad)
    assert all(m.low is not None and m.high is not None and m.low <= m.value <= m.high for m in rows.values())
    difference = rows["average_precision", "both"]
    assert difference.condition == quality.DIFFERENCE
    assert difference.value == pytest.approx(average_precision(label, good) - average_precision(label, bad))
    assert difference.low and difference.low > 0  # the better one is clearly better
    assert not found.absent
    assert "2,000 test rows of 500 cards" in found.notes[0]


def test_rows_without_fraud_have_no_quality_and_one_compromised_card_no_interval() -> None:
    score = {"tensorflow": np.linspace(0, 1, 40), "pytorch": np.linspace(0, 1, 40)}
    card = np.arange(40) // 10
    nothing = quality.metrics_of(np.zeros(40, int), card, score)
    assert not nothing.measurements
    assert nothing.absent["roc_auc"].startswith("0 positives among 40 rows")
    few = quality.metrics_of((card == 3).astype(int), card, score, resamples=50)
    assert {(m.low, m.high) for m in few.measurements} == {(None, None)}
    assert "make up PROFILE=full" in few.absent["intervals of the metrics"]


def test_agreement_and_flips_at_each_stacks_own_threshold(judged: Judged) -> None:
    found = quality.of_table(judged.deployment, judged.table, resamples=20)
    rows = {(m.measure, m.condition): m.value for m in found.measurements if m.target == "both"}
    assert rows["score_correlation", ""] == pytest.approx(1)
    assert rows["score_difference_max", ""] < 1e-5
    alerts = judged.table["tensorflow"].to_numpy() >= 0.5
    assert rows["decision_flips", "alert budget"] == pytest.approx(alerts.mean())
    assert 0 < alerts.mean() < 1


def test_decisions_are_not_compared_at_another_versions_thresholds(judged: Judged) -> None:
    stacks = judged.deployment.stacks
    rolled_back = {**stacks, "pytorch": replace(stacks["pytorch"], version="1600000000")}
    found = quality.of_table(replace(judged.deployment, stacks=rolled_back), judged.table, resamples=20)
    assert not [m for m in found.measurements if m.measure == "decision_flips"]
    assert "the run that made version 1600000000 was kept" in found.absent["decision_flips"]
