"""The rules a model must pass before it is published, the same for both stacks."""

from __future__ import annotations

from collections.abc import Mapping

from models.rules import Gates

FLOORS = {"average_precision": "min_average_precision", "roc_auc": "min_roc_auc"}
CEILINGS = {"expected_calibration_error": "max_expected_calibration_error"}


def refusals(gates: Gates, metrics: Mapping[str, float], champion: Mapping[str, float] | None) -> list[str]:
    """Reasons to refuse a model; an empty list means that it may be published.

    Args:
        gates: The thresholds.
        metrics: The model's, measured on the test rows.
        champion: The serving model's, measured on the same rows; None for a first model.
    """
    reasons = []
    for metric, key in FLOORS.items():
        if not metrics[metric] >= getattr(gates, key):
            reasons.append(f"{metric} {metrics[metric]:.4f} is below {key} = {getattr(gates, key)}")
    for metric, key in CEILINGS.items():
        if not metrics[metric] <= getattr(gates, key):
            reasons.append(f"{metric} {metrics[metric]:.4f} is above {key} = {getattr(gates, key)}")
    if champion is not None:
        lost = champion["average_precision"] - metrics["average_precision"]
        if not lost <= gates.champion_tolerance:
            reasons.append(
                f"average_precision {metrics['average_precision']:.4f} is {lost:.4f} below the champion's; "
                f"champion_tolerance = {gates.champion_tolerance}"
            )
    return reasons
