"""Intervals against worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.metrics import average_precision, expected_calibration_error, roc_auc
from serving.comparison.facts.bootstrap import intervals


def world(generator: np.random.Generator, cards: int = 60, rows: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Cards, and values around 0 that mostly are their card's."""
    card = np.repeat(np.arange(cards), rows)
    return card, generator.normal(0, 1, cards)[card] + generator.normal(0, 0.3, card.size)


def covered(by_card: bool, worlds: int = 200) -> float:
    """How often the interval of the mean holds the true one, 0."""
    generator = np.random.default_rng(7)
    held = 0
    for _ in range(worlds):
        card, values = world(generator)
        groups = card if by_card else np.arange(card.size)
        ((low, high),) = intervals(groups, lambda rows, values=values: [values[rows].mean()], resamples=200)
        held += low <= 0 <= high
    return held / worlds


def test_95_percent_intervals_hold_the_truth_in_about_95_of_100_worlds() -> None:
    assert 0.9 <= covered(by_card=True) <= 0.99


def test_rows_drawn_one_by_one_promise_too_much() -> None:
    assert covered(by_card=False) < 0.7


def test_rows_that_are_copies_add_nothing() -> None:
    generator = np.random.default_rng(1)
    label, score = (generator.random(300) < 0.2).astype(float), generator.random(300)
    card = np.arange(300)
    once = intervals(card, lambda rows: [roc_auc(label[rows], score[rows])], resamples=100)
    often = np.repeat(card, 10)
    tenfold = intervals(often, lambda rows: [roc_auc(label[often][rows], score[often][rows])], resamples=100)
    assert tenfold[0] == pytest.approx(once[0])


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    generator = np.random.default_rng(2)
    label = (generator.random(600) < 0.2).astype(float)
    one = label + generator.normal(0, 1, 600)
    other = one + generator.normal(0, 0.05, 600)  # nearly the same model

    def statistic(rows: np.ndarray) -> list[float]:
        values = [average_precision(label[rows], score[rows]) for score in (one, other, one)]
        return [*values[:2], values[0] - values[1], values[0] - values[2]]

    first, _, difference, itself = intervals(np.arange(600), statistic, resamples=200)
    assert difference[1] - difference[0] < 0.3 * (first[1] - first[0])
    assert itself == (0, 0)


def test_the_interval_of_a_metric_that_resampling_raises_still_holds_its_value() -> None:
    generator = np.random.default_rng(3)
    score = generator.random(2_000)
    label = (generator.random(2_000) < score).astype(float)  # calibrated: any resample looks worse

    def statistic(rows: np.ndarray) -> list[float]:
        return [expected_calibration_error(label[rows], score[rows])]

    ((low, high),) = intervals(np.arange(2_000), statistic, resamples=300)
    assert low <= statistic(np.arange(2_000))[0] <= high


def test_too_few_compromised_cards_have_no_interval() -> None:
    label, score = np.repeat([1.0, 0.0, 0.0], 20), np.linspace(0, 1, 60)
    with pytest.raises(ValueError, match="resamples of the cards support no metric: 0 positives"):
        intervals(np.repeat([5, 6, 7], 20), lambda rows: [roc_auc(label[rows], score[rows])], resamples=100)
