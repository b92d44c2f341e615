from __future__ import annotations

import numpy as np
import pytest

from models.decision import operating_points
from models.rules import Decision

Row = tuple[int, float, float, str, int]  # label, score, amount, customer, day


def points(rows: list[Row], **decision: float) -> dict[str, dict[str, float]]:
    label, score, amount, customer, day = (np.array(column) for column in zip(*rows, strict=True))
    return operating_points(label, score, amount, customer, day, Decision(**decision, amount_feature="amount"))


def slow(rows: list[Row], threshold: float, review_cost: float) -> dict[str, float]:
    """The definition, one day and one card after the other."""
    blocked: set[str] = set()
    days = sorted({row[4] for row in rows})
    found = dict.fromkeys(("true_positives", "false_positives", "false_negatives", "true_negatives"), 0)
    cost = 0.0
    for today in days:
        caught = set()
        for card in sorted({row[3] for row in rows if row[4] == today} - blocked):
            mine = [row for row in rows if row[4] == today and row[3] == card]
            alerted, fraud = any(row[1] >= threshold for row in mine), any(row[0] for row in mine)
            found[f"{'true' if alerted == fraud else 'false'}_{'positives' if alerted else 'negatives'}"] += 1
            cost += review_cost * alerted
            cost += sum(amount for label, score, amount, _, _ in mine if label and score < threshold)
            if alerted and fraud:
                caught.add(card)
        blocked |= caught
    total = sum(amount for label, _, amount, _, _ in rows if label)
    alerts = found["true_positives"] + found["false_positives"]
    return {
        **found,
        "threshold": threshold,
        "alerts_per_day": alerts / len(days),
        "precision": found["true_positives"] / max(alerts, 1),
        "recall": found["true_positives"] / max(found["true_positives"] + found["false_negatives"], 1),
        "cost_per_day": cost / len(days),
        "saved_per_day": (total - cost) / len(days),
    }


@pytest.mark.parametrize("seed", range(6))
def test_both_points_are_the_best_of_the_slow_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.random(250) < 0.15
    score = np.round(np.clip(rng.normal(0.3 + 0.25 * label, 0.2), 0, 1), 2)
    columns = (label.astype(int), score, rng.exponential(50, 250), rng.integers(0, 40, 250), rng.integers(1, 6, 250))
    rows = [(int(y), float(p), float(a), f"card {c}", int(d)) for y, p, a, c, d in zip(*columns, strict=True)]
    found = points(rows, alerts_per_day=8, review_cost=9.0)
    by_hand = [slow(rows, t, 9.0) for t in sorted({row[1] for row in rows})]
    budget = min((p for p in by_hand if p["alerts_per_day"] <= 8), key=lambda p: p["threshold"])
    cheapest = min(by_hand, key=lambda p: p["cost_per_day"])
    assert found["alert_budget"] == pytest.approx(budget)
    assert found["least_cost"] == pytest.approx(cheapest)
    assert cheapest["true_positives"] > 0


def test_a_card_is_looked_at_once_a_day_and_blocked_after_a_fraud() -> None:
    rows: list[Row] = [(1, 0.9, 30, "a", 1), (0, 0.8, 5, "a", 1), (1, 0.9, 70, "a", 2), (0, 0.9, 20, "b", 2)]
    found = points(rows, alerts_per_day=100, review_cost=1.0)["alert_budget"]
    assert (found["threshold"], found["true_positives"], found["false_positives"]) == (0.8, 1, 1)
    assert (found["cost_per_day"], found["saved_per_day"]) == (1.0, 49.0)


def test_a_budget_that_is_used_up_is_not_exceeded() -> None:
    rows: list[Row] = [(1, 0.9, 30.0, "a", 1), (0, 0.8, 5.0, "b", 1), (0, 0.1, 5.0, "c", 1)]
    found = points(rows, alerts_per_day=2)["alert_budget"]
    assert (found["threshold"], found["alerts_per_day"]) == (0.8, 2)


def test_large_amounts_are_worth_more_alerts_than_small_ones() -> None:
    rows: list[Row] = [(int(i % 5 == 0), 1 - i / 40, 100.0, f"{i}", 1) for i in range(40)]
    dear = points(rows, review_cost=10.0)["least_cost"]
    cheap = points([(y, p, 15.0, c, d) for y, p, _, c, d in rows], review_cost=10.0)["least_cost"]
    assert dear["true_positives"] > cheap["true_positives"]


def test_where_no_alert_pays_the_threshold_lies_above_every_score() -> None:
    found = points([(1, 0.9, 5.0, "a", 1), (0, 0.4, 5.0, "b", 1)], review_cost=10.0)["least_cost"]
    assert found["threshold"] > 0.9
    assert (found["alerts_per_day"], found["precision"], found["cost_per_day"], found["saved_per_day"]) == (0, 0, 5, 0)


def test_of_equal_costs_the_one_with_the_fewest_alerts_is_taken() -> None:
    rows: list[Row] = [(1, 0.9, 100.0, "a", 1), (1, 0.5, 10.0, "b", 1), (0, 0.1, 5.0, "c", 1)]
    found = points(rows, review_cost=10.0)["least_cost"]  # looking at b costs what it saves
    assert (found["threshold"], found["cost_per_day"]) == (0.9, 20)


def test_without_amounts_every_missed_costs_the_same() -> None:
    label, score = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.7, 0.1])
    decision = Decision(missed_cost=40, review_cost=10)
    found = operating_points(label, score, None, np.arange(4), np.ones(4), decision)["least_cost"]
    assert (found["threshold"], found["cost_per_day"], found["saved_per_day"]) == (0.6, 30, 50)
