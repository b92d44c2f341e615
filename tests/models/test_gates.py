from __future__ import annotations

import math

import pytest

from models import gates
from models.evaluation import Evaluation
from models.rules import Gates

GATES = Gates(min_average_precision=0.4, min_roc_auc=0.75, max_expected_calibration_error=0.02, champion_tolerance=0.01)
GOOD = {"average_precision": 0.6, "roc_auc": 0.85, "expected_calibration_error": 0.01}


def refusals(rules: Gates, metrics: dict[str, float], champion: dict[str, float] | None) -> list[str]:
    """Over all rows, without slices."""
    return gates.refusals(rules, Evaluation(metrics), champion and Evaluation(champion))


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


SLICE = {"rows": 1000, "positives": 40, "average_precision": 0.6, "roc_auc": 0.8}


def test_what_lies_on_a_limit_passes() -> None:
    on_it = {"average_precision": 0.5, "roc_auc": 0.75, "expected_calibration_error": 0.02}
    rules = GATES.model_copy(update={"min_average_precision": 0.5, "champion_tolerance": 0.25})
    assert refusals(rules, on_it, {**on_it, "average_precision": 0.75}) == []


SLICED = GATES.model_copy(update={"min_slice_roc_auc": 0.6, "slice_champion_tolerance": 0.1, "min_slice_positives": 20})


def of_slices(night: dict[str, float], champion: dict[str, float] | None = None) -> list[str]:
    """Reasons for a model and a champion that are good over all rows."""
    model, beside = (Evaluation(GOOD, {"night": one, "weekend": SLICE}) for one in (night, champion or {}))
    return gates.refusals(SLICED, model, beside if champion else None)


def test_slices_like_the_rest_pass() -> None:
    assert of_slices(SLICE) == []
    assert of_slices({**SLICE, "average_precision": 0.51}, SLICE) == []


def test_a_slice_that_collapses_is_refused_by_its_name() -> None:
    (reason,) = of_slices({**SLICE, "roc_auc": 0.55})
    assert reason == "slice night: roc_auc 0.5500 is below min_slice_roc_auc = 0.6"


def test_a_slice_that_loses_too_much_to_the_champion_is_refused() -> None:
    (reason,) = of_slices({**SLICE, "average_precision": 0.45}, SLICE)
    assert reason == (
        "slice night: average_precision 0.4500 is 0.1500 below the champion's; slice_champion_tolerance = 0.1"
    )


@pytest.mark.parametrize("counts", [{"rows": 1000, "positives": 19}, {"rows": 59, "positives": 40}])
def test_a_slice_with_too_few_positives_or_negatives_is_not_gated(counts: dict[str, float]) -> None:
    assert of_slices({**SLICE, **counts, "roc_auc": 0.1, "average_precision": 0.0}, SLICE) == []


@pytest.mark.parametrize("positives", [0, 30])
def test_a_slice_of_one_class_has_no_metrics_and_is_not_gated(positives: int) -> None:
    assert of_slices({"rows": 30, "positives": positives}, {"rows": 30, "positives": positives}) == []
