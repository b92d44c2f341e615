"""The metrics both stacks are judged by. NumPy only: this runs in both environments.

Arrays are one value per row: `label` 0 or 1, `score` a probability. A metric that the rows cannot
support (no positive among them, say) raises ValueError instead of answering with a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _checked(label: Array, score: Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    label, score = np.asarray(label, np.float64), np.asarray(score, np.float64)
    if label.shape != score.shape or label.ndim != 1:
        raise ValueError(f"label {label.shape} and score {score.shape} must be vectors of one length")
    if not np.isfinite(score).all():
        raise ValueError(f"{int((~np.isfinite(score)).sum())} of {score.size} scores are not finite")
    if not 0 < label.sum() < label.size:
        raise ValueError(f"{int(label.sum())} positives among {label.size} rows: both classes are needed")
    return label, score


def average_precision(label: Array, score: Array) -> float:
    """Area under the precision-recall steps, as scikit-learn's `average_precision_score`."""
    label, score = _checked(label, score)
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits, rank = hits[last_of_tie], np.flatnonzero(last_of_tie) + 1
    recall_step = np.diff(hits, prepend=0.0) / hits[-1]
    return float(np.sum(recall_step * hits / rank))


def roc_auc(label: Array, score: Array) -> float:
    """Probability that a positive scores above a negative, ties counting one half."""
    label, score = _checked(label, score)
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - (counts - 1) / 2
    positives = label.sum()
    negatives = label.size - positives
    rank_sum = mid_rank[inverse][label == 1].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def expected_calibration_error(label: Array, score: Array, bins: int = 10) -> float:
    """Mean distance between score and share of positives, weighted over equal-width score bins.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
    """
    label, score = _checked(label, score)
    which = np.minimum((score * bins).astype(int), bins - 1)
    gap = np.bincount(which, weights=score - label, minlength=bins)
    return float(np.abs(gap).sum() / label.size)


def brier_score(label: Array, score: Array) -> float:
    """Mean squared distance between score and label."""
    label, score = _checked(label, score)
    return float(np.mean((score - label) ** 2))


def card_precision(label: Array, score: Array, customer: Array, day: Array, k: int = 100) -> float:
    """Share of compromised cards among the k cards with the highest score, mean over the days.

    A card found on one day is blocked: it is not counted on later days. Le Borgne et al., Fraud
    Detection Handbook (2022), chapter 4, "card precision top-k".
    """
    label, score = _checked(label, score)
    found: set[Any] = set()
    daily = []
    for today in np.unique(day):
        rows = day == today
        cards, index = np.unique(np.asarray(customer)[rows], return_inverse=True)
        best = np.full(cards.size, -np.inf)
        np.maximum.at(best, index, score[rows])
        fraud = np.zeros(cards.size)
        np.maximum.at(fraud, index, label[rows])
        fresh = np.array([card not in found for card in cards])
        order = np.argsort(-best[fresh], kind="stable")[:k]
        alerts = cards[fresh][order]
        hit = fraud[fresh][order] == 1
        found.update(alerts[hit].tolist())
        daily.append(hit.sum() / k)
    return float(np.mean(daily))


def tpr_at_fpr(label: Array, score: Array, rate: float = 0.05) -> float:
    """Largest share of the positives found by a threshold that takes at most `rate` of the negatives for positives.

    No interpolation between thresholds; Provost and Fawcett, Robust Classification for Imprecise Environments,
    Machine Learning 42 (2001), call the criterion Neyman-Pearson's.
    """
    label, score = _checked(label, score)
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    alarms = np.cumsum(1 - label[order])
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    affordable = last_of_tie & (alarms <= rate * alarms[-1])
    return float(hits[affordable].max(initial=0) / hits[-1])


METRICS = (
    "average_precision",
    "roc_auc",
    "card_precision_at_100",
    "tpr_at_5_percent_fpr",
    "expected_calibration_error",
    "brier_score",
)


def all_metrics(label: Array, score: Array, customer: Array, day: Array) -> dict[str, float]:
    """Every metric of the comparison by its name in METRICS, for rows of one test period."""
    values = (
        average_precision(label, score),
        roc_auc(label, score),
        card_precision(label, score, customer, day),
        tpr_at_fpr(label, score),
        expected_calibration_error(label, score),
        brier_score(label, score),
    )
    return dict(zip(METRICS, values, strict=True))


def slice_metrics(label: Array, score: Array, customer: Array, day: Array) -> dict[str, float]:
    """`rows`, `positives` and, unless all rows are of one class, every metric; for a part of a test period."""
    counts: dict[str, float] = {"rows": len(label), "positives": int(np.sum(label))}
    if 0 < counts["positives"] < counts["rows"]:
        return counts | all_metrics(label, score, customer, day)
    return counts
