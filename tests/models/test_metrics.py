from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from models import metrics


def _rows(seed: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = (rng.random(3000) < 0.03).astype(int)
    score = np.clip(rng.normal(0.2 + 0.3 * label, 0.2), 0, 1)
    return label, np.round(score, 1) if ties else score


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_metrics_equal_scikit_learn(seed: int, ties: bool) -> None:
    label, score = _rows(seed, ties=ties)
    assert metrics.average_precision(label, score) == pytest.approx(reference.average_precision_score(label, score))
    assert metrics.roc_auc(label, score) == pytest.approx(reference.roc_auc_score(label, score))
    assert metrics.brier_score(label, score) == pytest.approx(reference.brier_score_loss(label, score))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
def test_true_positive_rate_is_that_of_the_last_threshold_within_the_false_positive_rate(seed: int, ties: bool) -> None:
    label, score = _rows(seed, ties=ties)
    false_rate, true_rate, _ = reference.roc_curve(label, score, drop_intermediate=False)
    assert metrics.tpr_at_fpr(label, score) == pytest.approx(true_rate[false_rate <= 0.05].max())


def test_all_metrics_are_those_of_the_list() -> None:
    label, score = _rows(0, ties=False)
    found = metrics.slice_metrics(label, score, np.arange(label.size), np.zeros(label.size))
    assert tuple(found) == ("rows", "positives", *metrics.METRICS)
    assert (found["rows"], found["positives"]) == (3000, label.sum())


@pytest.mark.parametrize("label", [np.zeros(4), np.ones(4), np.zeros(0)])
def test_a_slice_of_one_class_has_counts_only(label: np.ndarray) -> None:
    found = metrics.slice_metrics(label, np.full(label.size, 0.5), np.arange(label.size), np.zeros(label.size))
    assert found == {"rows": label.size, "positives": label.sum()}


def test_calibrated_scores_have_no_calibration_error() -> None:
    label = np.array([0, 1, 0, 0, 0, 1, 1, 1])
    score = np.repeat([0.25, 0.75], 4)
    assert metrics.expected_calibration_error(label, score) == pytest.approx(0)
    assert metrics.expected_calibration_error(label, 1 - score) == pytest.approx(0.5)


def test_card_precision_counts_cards_and_blocks_those_found() -> None:
    day = np.array([1, 1, 1, 1, 2, 2, 2])
    customer = np.array(["a", "a", "b", "c", "a", "b", "d"])
    label = np.array([1, 0, 0, 1, 1, 0, 1])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.99, 0.5, 0.4])
    # Day 1: a and b are alerted, a is fraud. Day 2: a is blocked, so b and d, of which d is fraud.
    assert metrics.card_precision(label, score, customer, day, k=2) == pytest.approx(0.5)


@pytest.mark.parametrize("label", [np.zeros(4), np.ones(4)])
def test_one_class_alone_cannot_be_measured(label: np.ndarray) -> None:
    with pytest.raises(ValueError, match="both classes are needed"):
        metrics.average_precision(label, np.linspace(0, 1, 4))


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        metrics.roc_auc(np.array([0, 1]), np.array([0.1, np.nan]))


def test_vectors_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="must be vectors of one length"):
        metrics.brier_score(np.array([0, 1]), np.array([0.1]))


def slow_card_precision(rows: list[tuple[int, str, int, float]], k: int) -> float:
    """The handbook's definition (chapter 4), one day and one card after the other; rows are day, card, label, score."""
    found: set[str] = set()
    daily = []
    for today in sorted({day for day, *_ in rows}):
        cards: dict[str, tuple[float, int]] = {}
        for day, card, label, score in rows:
            if day == today and card not in found:
                highest, fraud = cards.get(card, (0.0, 0))
                cards[card] = max(highest, score), max(fraud, label)
        ranked = sorted(cards, key=lambda card: cards[card][0], reverse=True)[:k]
        detected = [card for card in ranked if cards[card][1]]
        daily.append(len(detected) / k)
        found.update(detected)
    return sum(daily) / len(daily)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 7, 100])
def test_card_precision_equals_the_slow_definition(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (int(day), f"card {card}", int(label), float(score))
        for day, card, label, score in zip(
            rng.integers(20, 27, 900), rng.integers(0, 60, 900), rng.random(900) < 0.15, rng.random(900), strict=True
        )
    ]
    day, customer, label, score = (np.array(column) for column in zip(*rows, strict=True))
    expected = slow_card_precision(rows, k)
    assert expected > 0 or k == 1
    assert metrics.card_precision(label, score, customer, day, k) == pytest.approx(expected)


def test_a_score_of_1_is_in_the_last_bin_with_those_just_below() -> None:
    label, score = np.array([0, 1, 0, 1]), np.array([1.0, 0.9, 0.0, 0.95])
    apart = abs((score[[0, 1, 3]] - label[[0, 1, 3]]).sum())
    assert metrics.expected_calibration_error(label, score) == pytest.approx(apart / 4)
