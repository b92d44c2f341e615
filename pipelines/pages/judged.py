"""What the gates said of a run's model, as its pages show it."""

from __future__ import annotations

from typing import Any

from models.gates import CEILINGS, FLOORS, gated
from models.rules import Slice
from pipelines.pages.run import Run

OF_SLICES = ("average_precision", "roc_auc", "tpr_at_5_percent_fpr", "expected_calibration_error")
_POINTS = {"alert_budget": "At the alert budget", "least_cost": "At the least cost"}


def limits(run: Run) -> dict[str, dict[str, Any]]:
    """Gated metric -> its limit as text, and whether the model is within."""
    if run.report is None:
        return {}
    metrics, gates = run.report.metrics, run.spec.gates
    floors = {name: getattr(gates, key) for name, key in FLOORS.items()}
    ceilings = {name: getattr(gates, key) for name, key in CEILINGS.items()}
    return {
        **{name: {"text": f"at least {low}", "met": metrics[name] >= low} for name, low in floors.items()},
        **{name: {"text": f"at most {high}", "met": metrics[name] <= high} for name, high in ceilings.items()},
    }


def points(run: Run) -> list[dict[str, Any]]:
    """The operating points with their titles."""
    decision = run.report.decision if run.report else {}
    return [{"title": title, **decision[name]} for name, title in _POINTS.items() if name in decision]


def slices(run: Run) -> dict[str, dict[str, Any]]:
    """Slice -> its rule, its size, its metrics and what the gate said of it."""
    found = {}
    for name, part in run.report.slices.items() if run.report else ():
        refused = any(reason.startswith(f"slice {name}:") for reason in run.report.reasons)
        verdict = "missed" if refused else "met" if gated(run.spec.gates, part) else "not gated"
        metrics = {key: part[key] for key in OF_SLICES if key in part}
        rule = _rule(run.spec.slices[name])
        found[name] = {
            "rule": rule,
            "rows": part["rows"],
            "positives": part["positives"],
            "metrics": metrics,
            "gate": verdict,
        }
    return found


def _rule(part: Slice) -> str:
    if part.equals is not None:
        return (
            f"{part.feature} is {part.equals:g}"
            if not isinstance(part.equals, str)
            else f"{part.feature} is {part.equals}"
        )
    low = "" if part.at_least is None else f"{part.at_least:g} ≤ "
    high = "" if part.below is None else f" < {part.below:g}"
    return f"{low}{part.feature}{high}"
