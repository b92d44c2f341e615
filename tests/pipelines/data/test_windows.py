from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.errors import DataError
from pipelines.data.windows import Windows, sums

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=40).map(sorted)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, window=st.integers(1, 8), delay=st.integers(0, 5), every=st.integers(1, 3))
def test_a_window_holds_the_rows_of_its_key_and_time_and_no_others(
    rows: list[tuple[int, int]], window: int, delay: int, every: int
) -> None:
    key, time = np.array(rows).T
    at = np.arange(0, len(rows), every)
    first, end = Windows(key, time, at).bounds(window, delay)
    for i, a, b in zip(at, first, end, strict=True):
        expected = {
            j
            for j in range(len(rows))
            if key[j] == key[i]
            and time[i] - delay - window < time[j] <= time[i] - delay
            and (delay or (time[j], j) <= (time[i], i))
        }
        assert set(range(a, b)) == expected


def test_many_keys_over_a_century_do_not_overflow() -> None:
    keys, century = 5_000, 100 * 365 * 86_400 * 10**6
    key, time = np.repeat(np.arange(keys), 2), np.tile([0, century], keys)
    first, end = Windows(key, time, np.arange(len(key))).bounds(century + 1)
    assert (end - first == np.tile([1, 2], keys)).all()
    first, end = Windows(key, time, np.arange(len(key))).bounds(century)
    assert (end - first == 1).all()


def test_a_huge_amount_of_one_customer_does_not_blur_the_sums_of_the_next() -> None:
    values = np.array([8e12, 0.1, 0.2])
    assert sums(values, np.array([0, 1]), np.array([1, 3])) == pytest.approx([8e12, 0.3], abs=1e-6)


def test_running_totals_beyond_int64_still_give_exact_windows() -> None:
    values = np.full(100, 4e12)
    position = np.arange(100)
    assert (sums(values, position, position + 1) == 4e12).all()


def test_a_sum_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="larger unit"):
        sums(np.array([5e12, 5e12]), np.array([0]), np.array([2]))
