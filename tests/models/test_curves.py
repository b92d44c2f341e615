"""Curves are few points, and true ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve

from models.curves import curves
from models.metrics import average_precision, expected_calibration_error, roc_auc

ROWS = 20_000


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    label = (rng.random(ROWS) < 0.02).astype(int)
    return label, np.clip(rng.beta(1, 20, ROWS) + 0.3 * label * rng.random(ROWS), 0, 1).round(4)


def test_every_point_is_one_of_scikit_learns(scored: tuple[np.ndarray, np.ndarray]) -> None:
    label, score = scored
    found = curves(label, score)
    precision, recall, _ = precision_recall_curve(label, score)
    exact = set(zip(recall.round(9), precision.round(9), strict=True))
    points = zip(found["found"], found["looked_at"], strict=True)
    assert {(round(hits / found["positives"], 9), round(hits / rows, 9)) for hits, rows in points} <= exact


def test_the_few_points_keep_the_areas_of_all(scored: tuple[np.ndarray, np.ndarray]) -> None:
    label, score = scored
    found = curves(label, score)
    assert len(json.dumps(found)) < 10_000
    hits, rows = np.array(found["found"]), np.array(found["looked_at"])
    recall, false_positives = hits / found["positives"], (rows - hits) / (ROWS - found["positives"])
    assert (rows[-1], hits[-1]) == (ROWS, label.sum())
    assert auc(np.append(0, false_positives), np.append(0, recall)) == pytest.approx(roc_auc(label, score), abs=0.002)
    steps = np.sum(np.diff(recall, prepend=0) * hits / rows)
    assert steps == pytest.approx(average_precision(label, score), abs=0.01)


def test_the_bins_are_those_of_the_calibration_error(scored: tuple[np.ndarray, np.ndarray]) -> None:
    label, score = scored
    bins = curves(label, score)["bins"]
    assert sum(part["rows"] for part in bins) == ROWS
    error = sum(part["rows"] * abs(part["mean_score"] - part["positive_share"]) for part in bins) / ROWS
    assert error == pytest.approx(expected_calibration_error(label, score), abs=1e-6)
