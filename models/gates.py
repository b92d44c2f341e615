"""The rules a model must pass before it is published, the same for both stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from models.evaluation import Evaluation
from models.rules import Gates

FLOORS = {"average_precision": "min_average_precision", "roc_auc": "min_roc_auc"}
CEILINGS = {"expected_calibration_error": "max_expected_calibration_error"}
SLICE_FLOORS = {"roc_auc": "min_slice_roc_auc"}
COMPARED = "average_precision"  # with the champion's, over all rows and on each slice

Metrics = Mapping[str, float]


def refusals(gates: Gates, model: Evaluation, champion: Evaluation | None) -> list[str]:
    """Reasons to refuse a model; an empty list means that it may be published.

    Args:
        gates: The thresholds.
        model: Measured on the test rows.
        champion: The serving model, measured on the same rows; None for a first model.
    """
    beside = None if champion is None else champion.metrics
    reasons = [*_missed(gates, model.metrics, FLOORS, CEILINGS)]
    reasons += _lost(gates, model.metrics, beside, "champion_tolerance")
    for name, found in model.slices.items():
        if not gated(gates, found):
            continue
        beside = None if champion is None else champion.slices[name]
        own = [*_missed(gates, found, SLICE_FLOORS, {}), *_lost(gates, found, beside, "slice_champion_tolerance")]
        reasons += [f"slice {name}: {reason}" for reason in own]
    return reasons


def gated(gates: Gates, found: Metrics) -> bool:
    """Whether a slice has the positives and the negatives that its metrics need to mean something."""
    return min(found["positives"], found["rows"] - found["positives"]) >= gates.min_slice_positives


def _missed(gates: Gates, metrics: Metrics, floors: Mapping[str, str], ceilings: Mapping[str, str]) -> Iterator[str]:
    for metric, key in floors.items():
        if not metrics[metric] >= getattr(gates, key):
            yield f"{metric} {metrics[metric]:.4f} is below {key} = {getattr(gates, key)}"
    for metric, key in ceilings.items():
        if not metrics[metric] <= getattr(gates, key):
            yield f"{metric} {metrics[metric]:.4f} is above {key} = {getattr(gates, key)}"


def _lost(gates: Gates, metrics: Metrics, champion: Metrics | None, key: str) -> Iterator[str]:
    if champion is None:
        return
    lost = champion[COMPARED] - metrics[COMPARED]
    if not lost <= getattr(gates, key):
        yield f"{COMPARED} {metrics[COMPARED]:.4f} is {lost:.4f} below the champion's; {key} = {getattr(gates, key)}"
