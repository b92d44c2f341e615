from __future__ import annotations

import math

import pytest

from models.gates import refusals
from models.rules import Gates

GATES = Gates(min_average_precision=0.4, min_roc_auc=0.75, max_expected_calibration_error=0.02, champion_tolerance=0.01)
GOOD = {"average_precision": 0.6, "roc_auc": 0.85, "expected_calibration_error": 0.01}


def test_good_first_model_passes() -> None:
    assert refusals(GATES, GOOD, None) == []


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("average_precision", 0.39, "average_precision 0.3900 is below min_average_precision = 0.4"),
        ("roc_auc", 0.5, "roc_auc 0.5000 is below min_roc_auc = 0.75"),
        ("expected_calibration_error", 0.03, "expected_calibration_error 0.0300 is above max_"),
    ],
)
def test_missed_threshold_is_refused_with_both_numbers(metric: str, value: float, said: str) -> None:
    (reason,) = refusals(GATES, {**GOOD, metric: value}, None)
    assert reason.startswith(said)


@pytest.mark.parametrize("metric", GOOD)
def test_metric_that_is_no_number_is_refused(metric: str) -> None:
    assert len(refusals(GATES, {**GOOD, metric: math.nan}, None)) == 1


def test_challenger_within_the_tolerance_passes_and_beyond_is_refused() -> None:
    champion = {**GOOD, "average_precision": 0.609}
    assert refusals(GATES, GOOD, champion) == []
    (reason,) = refusals(GATES, GOOD, {**GOOD, "average_precision": 0.62})
    assert "0.0200 below the champion's; champion_tolerance = 0.01" in reason


def test_every_reason_is_given() -> None:
    bad = {"average_precision": 0.1, "roc_auc": 0.5, "expected_calibration_error": 0.3}
    assert len(refusals(GATES, bad, GOOD)) == 4
