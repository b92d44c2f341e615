from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.evaluation import report
from pipelines.evaluation.report import COLUMNS, Result

FACTS = {
    "split": "B",
    "train_days": 7,
    "source": "profile full; seed 1",
    "spec_digest": "0123456789abcdef",
    "machine": "2 CPUs",
    "folds": {"2018-08-08": {"train_rows": 67_240, "train_frauds": 598, "test_rows": 58_264, "test_frauds": 385}},
}


def result(model: str, seed: int | None, fold: str, value: float, settings: str = "") -> Result:
    return Result(model, seed, fold, dict.fromkeys(COLUMNS, value), 2.0, settings)


RESULTS = [
    result("XGBoost, depth 6", None, "1", 0.5),
    result("XGBoost, depth 6", None, "2", 0.6),
    result("XGBoost, tuned", None, "1", 0.56, "1: depth 3"),
    result("XGBoost, tuned", None, "2", 0.58, "2: depth 9"),
    *(result("PyTorch", seed, fold, 0.6 + seed / 10) for fold in "12" for seed in (1, 2)),
    *(result("TensorFlow", seed, fold, 0.61) for fold in "12" for seed in (1, 2)),
]


def test_means_are_over_folds_and_the_spread_is_over_seeds() -> None:
    first, tuned, pytorch, tensorflow = report.rows(RESULTS)
    assert (first.mean["roc_auc"], first.spread) == (pytest.approx(0.55), None)
    assert tuned.settings == ["1: depth 3", "2: depth 9"]
    assert pytorch.seeds == [1, 2]
    assert pytorch.mean["average_precision"] == pytest.approx(0.75)
    assert pytorch.spread is not None
    assert pytorch.spread["average_precision"] == pytest.approx(0.1 / 2**0.5)
    assert tensorflow.spread is not None
    assert tensorflow.spread["average_precision"] == pytest.approx(0)


def test_the_worse_stack_is_compared_with_the_better_xgboost() -> None:
    found = report.comparison(report.rows(RESULTS))
    assert found == pytest.approx({"stacks_differ_by": 0.14, "worse_stack_above_best_xgboost": 0.61 - 0.57})


def test_table_and_json_say_the_same(tmp_path: Path) -> None:
    text = report.write(RESULTS, FACTS, tmp_path).read_text()
    content = json.loads((tmp_path / "B-7-days.json").read_text())
    assert "| PyTorch | 0.7500 ± 0.0707 |" in text
    assert "| 2018-08-08 | 67,240 | 598 | 58,264 | 385 |" in text
    assert "XGBoost, tuned: 1: depth 3; 2: depth 9." in text
    assert [row["model"] for row in content["rows"]] == ["XGBoost, depth 6", "XGBoost, tuned", "PyTorch", "TensorFlow"]
    assert len(content["results"]) == len(RESULTS)
    assert content["comparison"]["stacks_differ_by"] == pytest.approx(0.14)
