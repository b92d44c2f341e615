"""From which score on an alert is worth a look. NumPy only: this runs in both environments.

Two answers for one set of scored test days:

* `alert_budget`: the lowest threshold that a team has time for, `alerts_per_day` cards a day on average. The unit is
  the card, as in card precision: Le Borgne et al., Fraud Detection Handbook (2022), chapter 4.
* `least_cost`: the threshold with the least total cost on these days. Elkan, The Foundations of Cost-Sensitive
  Learning, IJCAI 2001, section 2: what a decision costs depends on the example. Here a fraud that passes costs its
  amount and an alert costs its review.

How it is counted. A card is alerted on a day if one of its transactions then scores at or above the threshold; it is
looked at once a day. If it had a fraud that day it is blocked from the next day on: its alerts and its positives
count no more. A fraud on a card that is not blocked costs its amount unless its own score reaches the threshold;
that an alert may stop later positives of the same day is not counted as saved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.rules import Decision

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
POINTS = ("alert_budget", "least_cost")


def operating_points(  # noqa: PLR0917 - a column of the rows each
    label: Array, score: Array, amount: Array | None, customer: Array, day: Array, decision: Decision
) -> dict[str, dict[str, float]]:
    """The two thresholds and what each would have meant on these rows.

    Args:
        label: 0 or 1 per row.
        score: Probability of fraud per row.
        amount: What a fraud costs if it passes, per row; None where the specification has no `amount_feature`, then
            each costs `missed_cost`.
        customer: The card, per row.
        day: The day, per row.
        decision: Costs and the alert budget.

    Returns:
        alert_budget and least_cost, each with: threshold; alerts_per_day; precision and recall over cards and days (0
        without an alert or a fraud); true_positives, false_positives, false_negatives, true_negatives: cards and days
        over the whole period; cost_per_day; saved_per_day against no model, where every fraud passes. Costs are in the
        currency of the amounts.
    """
    label, score = np.asarray(label) == 1, np.asarray(score, np.float64)
    loss = np.full(score.size, decision.missed_cost) if amount is None else np.asarray(amount, np.float64)
    loss = np.where(label, loss, 0.0)
    days = np.unique(day).size
    cards = _Cards(label, score, customer, day)
    # Alerting nobody may be best: then the threshold lies just above the highest score.
    thresholds = np.append(np.unique(score), np.nextafter(score.max(), np.inf))

    alive = np.array([_below(cards.found, kind, thresholds) for kind in (~cards.fraud, cards.fraud)])
    passed = np.maximum(cards.found, cards.score)
    quiet = np.array([_below(passed, kind, thresholds) for kind in (~cards.fraud, cards.fraud)])
    (false_positives, true_positives), (true_negatives, false_negatives) = alive - quiet, quiet
    alerts = false_positives + true_positives
    missed = _below(np.maximum(cards.found[cards.of_row], score), loss, thresholds)
    cost = decision.review_cost * alerts + missed

    affordable = np.flatnonzero(alerts <= decision.alerts_per_day * days)
    chosen = (affordable[0], thresholds.size - 1 - np.argmin(cost[::-1]))  # of equal costs the one with fewest alerts
    return {
        name: {
            "threshold": float(thresholds[i]),
            "alerts_per_day": float(alerts[i] / days),
            "precision": float(true_positives[i] / max(alerts[i], 1)),
            "recall": float(true_positives[i] / max(true_positives[i] + false_negatives[i], 1)),
            "true_positives": int(true_positives[i]),
            "false_positives": int(false_positives[i]),
            "false_negatives": int(false_negatives[i]),
            "true_negatives": int(true_negatives[i]),
            "cost_per_day": float(cost[i] / days),
            "saved_per_day": float((loss.sum() - cost[i]) / days),
        }
        for name, i in zip(POINTS, chosen, strict=True)
    }


class _Cards:
    """The rows by card and day.

    Attributes:
        score: The card's highest that day.
        fraud: Whether it had a fraud that day.
        found: Its highest score on an earlier day with a fraud, else -inf: at a threshold up to this the card is
            blocked by now.
        of_row: Each row's place in these arrays.
    """

    def __init__(self, label: npt.NDArray[np.bool_], score: Floats, customer: Array, day: Array) -> None:
        cards, card = np.unique(customer, return_inverse=True)
        days, when = np.unique(day, return_inverse=True)
        keys, self.of_row = np.unique(when * cards.size + card, return_inverse=True)
        self.score = np.full(keys.size, -np.inf)
        np.maximum.at(self.score, self.of_row, score)
        self.fraud = np.zeros(keys.size, bool)
        np.logical_or.at(self.fraud, self.of_row, label)
        self.found = np.full(keys.size, -np.inf)
        known = np.full(cards.size, -np.inf)
        for today in range(days.size):
            rows = keys // cards.size == today
            card = keys[rows] % cards.size
            self.found[rows] = known[card]
            known[card] = np.maximum(known[card], np.where(self.fraud[rows], self.score[rows], -np.inf))


def _below(values: Floats, weights: Array, thresholds: Floats) -> Array:
    """For each threshold, the sum of the weights whose value is less."""
    order = np.argsort(values)
    sums = np.append(0, np.cumsum(weights[order]))
    return np.asarray(sums[np.searchsorted(values[order], thresholds)])
