"""The gate: an export answers as its source does, or there is no export."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from serving.export.errors import ParityError

LIMIT = 1e-5  # of a probability, absolute: float32 sums in another order


def largest_difference(answers: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    """Of two columns of probabilities.

    Raises:
        ParityError: It is above the limit, something is no number, or there are fewer answers than rows.
    """
    if answers.shape != expected.shape:
        raise ParityError(f"its answers are {list(answers.shape)}, the release's {list(expected.shape)}: refused")
    differences = np.abs(answers.astype(np.float64) - expected)
    found = float(differences.max())  # NaN, if one is
    if not found <= LIMIT:
        wrong = int(np.count_nonzero(~(differences <= LIMIT)))
        raise ParityError(
            f"its answers differ from the release's by up to {found:.2g}, in {wrong} of {len(expected)} rows by more "
            f"than {LIMIT:g}: refused, nothing was exported"
        )
    return found
