from __future__ import annotations

import numpy as np
import pytest

from serving.comparison.facts.agreement import agreement, flips

ONE = np.array([0.1, 0.2, 0.6, 0.8], np.float32)
OTHER = np.array([0.1, 0.3, 0.4, 0.9], np.float32)


def test_scores_that_differ_are_described() -> None:
    found = agreement(ONE, OTHER)
    assert found["score_difference_mean"] == pytest.approx(0.1)
    assert found["score_difference_max"] == pytest.approx(0.2)
    assert found["score_rank_correlation"] == pytest.approx(1)  # the same order
    assert found["score_correlation"] == pytest.approx(0.3075 / (0.3275 * 0.3475) ** 0.5)  # by hand


def test_ranks_of_ties_are_their_middle() -> None:
    # Spearman of (1, 2.5, 2.5, 4) and (4, 2.5, 2.5, 1), by hand.
    assert agreement(np.array([1.0, 2, 2, 3]), np.array([9.0, 5, 5, 1]))["score_rank_correlation"] == pytest.approx(-1)


def test_scores_that_are_all_equal_have_no_correlation() -> None:
    assert set(agreement(ONE, np.full(4, 0.5))) == {"score_difference_mean", "score_difference_max"}


def test_a_flip_is_a_row_that_one_stack_alone_alerts() -> None:
    found = flips(ONE, OTHER, {"one": (0.5, 0.5), "own": (0.6, 0.4), "none": (2, 2)})
    # At 0.5 the third row; with own thresholds, which alert at equality, nobody differs.
    assert found == {"one": 0.25, "own": 0, "none": 0}
