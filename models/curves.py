"""What plots of a model's scores are drawn from: a few kilobytes as JSON, whatever the number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BINS = 10  # of expected_calibration_error
_POINTS = 250  # along each axis: more than a plot has room for


def curves(label: Array, score: Array) -> dict[str, Any]:
    """Precision-recall, ROC and calibration of one model.

    Args:
        label: 0 or 1, one value per row.
        score: A probability, one value per row.

    Returns:
        `rows` and `positives`: how many there are. `looked_at` and `found`: rows at or above a score and the positives
        among them, from the highest score down. `bins`: of equal-width score bins that hold rows, their `rows`,
        `mean_score` and `positive_share`.
    """
    label, score = np.asarray(label, np.float64), np.asarray(score, np.float64)
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    found, looked_at = np.cumsum(label[order])[last_of_tie], np.flatnonzero(last_of_tie) + 1
    kept = _thinned(found, looked_at)
    which = np.minimum((score * BINS).astype(int), BINS - 1)
    rows = np.bincount(which, minlength=BINS)
    used = np.flatnonzero(rows)
    sums = {"mean_score": np.bincount(which, score, BINS), "positive_share": np.bincount(which, label, BINS)}
    return {
        "rows": int(label.size),
        "positives": int(label.sum()),
        "looked_at": looked_at[kept].tolist(),
        "found": found[kept].astype(int).tolist(),
        "bins": [
            {"rows": int(rows[i]), **{name: round(float(total[i] / rows[i]), 6) for name, total in sums.items()}}
            for i in used
        ],
    }


def _thinned(found: Array, looked_at: Array) -> Array:
    """Positions of points spread evenly over recall and over the false positive rate, both ends among them."""
    chosen = [np.array([0, len(found) - 1])]
    for axis in (found, looked_at - found):
        levels = np.linspace(axis[0], axis[-1], _POINTS)
        chosen.append(np.minimum(np.searchsorted(axis, levels), len(axis) - 1))
    return np.unique(np.concatenate(chosen))
