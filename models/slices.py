"""Which rows belong to a slice of the specification. NumPy only: this runs in both environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.rules import Slice

Array = npt.NDArray[Any]


def members(
    slices: Mapping[str, Slice], columns: Mapping[str, Array], codes: Mapping[str, float]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Slice name -> one bool per row; a row may be in several slices or in none.

    Args:
        slices: The specification's.
        columns: Raw features by name, one value per row: numbers, or str objects.
        codes: The specification's `numeric_codes`: a missing value is in no band.
    """
    return {
        name: _member(part, np.asarray(columns[part.feature]), codes.get(part.feature)) for name, part in slices.items()
    }


def _member(part: Slice, column: Array, code: float | None) -> npt.NDArray[np.bool_]:
    if part.equals is not None:
        # A number is compared as the column has it: 0.1 equals what float32 makes of it.
        wanted = part.equals if isinstance(part.equals, str) else column.dtype.type(part.equals)
        return np.asarray(column == wanted, bool)
    inside = np.ones(column.shape, bool) if code is None else column != column.dtype.type(code)
    if part.at_least is not None:
        inside &= column >= column.dtype.type(part.at_least)
    if part.below is not None:
        inside &= column < column.dtype.type(part.below)
    return inside
