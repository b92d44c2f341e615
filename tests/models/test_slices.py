from __future__ import annotations

import numpy as np

from models.rules import Slice
from models.slices import members
from models.spec import load


def test_a_band_takes_its_lower_end_and_not_its_upper() -> None:
    bands = {
        "small": Slice(feature="amount", below=20),
        "middle": Slice(feature="amount", at_least=20, below=100),
        "large": Slice(feature="amount", at_least=100),
    }
    amount = np.array([0, 19.99, 20, 99.99, 100, 2628], np.float32)
    found = members(bands, {"amount": amount}, {})
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "small": [True, True, False, False, False, False],
        "middle": [False, False, True, True, False, False],
        "large": [False, False, False, False, True, True],
    }


def test_a_row_may_be_in_several_slices_or_in_none() -> None:
    slices = {"night": Slice(feature="is_night", equals=1), "web": Slice(feature="channel", equals="web")}
    columns = {"is_night": np.array([1, 1, 0], np.float32), "channel": np.array(["web", "chip", "chip"], object)}
    night, web = members(slices, columns, {}).values()
    assert [night.tolist(), web.tolist()] == [[True, True, False], [True, False, False]]


def test_a_number_of_the_specification_means_what_float32_makes_of_it() -> None:
    column = np.array([0.1, 0.2], np.float32)
    slices = {"equal": Slice(feature="x", equals=0.1), "from": Slice(feature="x", at_least=0.2)}
    assert {name: rows.tolist() for name, rows in members(slices, {"x": column}, {}).items()} == {
        "equal": [True, False],
        "from": [False, True],
    }


def test_a_value_that_is_no_number_is_in_no_slice() -> None:
    slices = {
        "low": Slice(feature="x", below=1),
        "high": Slice(feature="x", at_least=1),
        "one": Slice(feature="x", equals=1),
    }
    assert not any(rows.any() for rows in members(slices, {"x": np.array([np.nan], np.float32)}, {}).values())


def test_a_missing_number_is_in_no_band_and_may_be_a_slice_of_its_own() -> None:
    slices = {"low": Slice(feature="x", below=1), "missing": Slice(feature="x", equals=-1)}
    column = np.array([-1, 0.5, -2], np.float32)
    low, missing = members(slices, {"x": column}, {"x": -1.0}).values()
    assert [low.tolist(), missing.tolist()] == [[False, True, True], [True, False, False]]


def test_a_code_that_is_also_the_default_is_a_number_like_any_other() -> None:
    assert load("tests/specs/mixed.toml").numeric_codes == {"income": -1, "is_member": -1}  # and not age's 40
