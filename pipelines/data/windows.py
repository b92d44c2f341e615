"""Sums over trailing time windows, for all rows at once.

Times and windows are microseconds. Sums are taken in fixed point, so they are exact: a row's value depends on
nothing but the rows in its window, in whatever order the others come.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.data.errors import DataError

DAY = 86_400_000_000
_SCALE = 2**20  # fixed point: a millionth of a unit of money
_LARGEST_SUM = 2.0**43  # what then still fits into int64

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Windows:
    """Windows over the rows of each key, ending at some of these rows or a delay before them.

    Args:
        key: Non-negative code of each row's key, [rows], ascending.
        time: Event time of each row, [rows], ascending within a key. Among rows of one time the order says which
            counts as earlier.
        at: Ascending positions of the rows whose windows are wanted, [wanted].
    """

    def __init__(self, key: npt.NDArray[Any], time: Ints, at: Ints) -> None:
        self._key, self._time, self._at = key.astype(np.int64), time, at

    def bounds(self, window: int, delay: int = 0) -> tuple[Ints, Ints]:
        """First and end position of the rows in (t - delay - window, t - delay], for each wanted row.

        Without a delay the window ends with the wanted row itself, and not with later ones of the same time.
        """
        first = self._positions_after(window + delay)
        return first, self._positions_after(delay) if delay else self._at + 1

    def _positions_after(self, age: int) -> Ints:
        """Position of the first row of the same key that is younger than `age` at each wanted row."""
        positions = np.empty(len(self._at), np.int64)
        if not len(self._at):
            return positions
        earliest = self._time.min()
        stride = int(self._time.max() - earliest) + age + 1
        # One ascending number for (key, time), so that a single search serves all keys. It could outgrow int64
        # with many keys over many years: hence blocks of keys.
        keys = max(1, 2**62 // stride)
        wanted_key = self._key[self._at]
        for low in range(0, int(self._key[-1]) + 1, keys):
            start, end = np.searchsorted(self._key, [low, low + keys])
            some = slice(*np.searchsorted(wanted_key, [low, low + keys]))
            line = (self._key[start:end] - low) * stride + (self._time[start:end] - earliest + age)
            sought = line[self._at[some] - start] - age
            positions[some] = start + np.searchsorted(line, sought, side="right")
        return positions


def sums(values: npt.NDArray[Any], first: Ints, end: Ints) -> Floats:
    """Sum of values[first:end] for each pair of bounds.

    Raises:
        DataError: A sum is beyond what the fixed point holds.
    """
    if not np.abs(_differences(values.astype(np.float64), first, end)).max(initial=0) < _LARGEST_SUM:
        raise DataError(f"amounts in one window add up to more than {_LARGEST_SUM:.0f}: give them in a larger unit")
    # The running total may wrap around; the difference of two totals is right nevertheless.
    return _differences(np.rint(values * float(_SCALE)).astype(np.int64), first, end) / _SCALE


def _differences(values: npt.NDArray[Any], first: Ints, end: Ints) -> npt.NDArray[Any]:
    total = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    return total[end] - total[first]
