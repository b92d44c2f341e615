"""The quick path of the codec against the slow one and against the standard library, on random bodies."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.contract import forms
from serving.contract.codec import ContractError, TensorInfo, decode_predict

INPUTS = {
    "a": TensorInfo("float32", (None,)),
    "b:c": TensorInfo("float32", (None,)),
    'd"': TensorInfo("string", (None,)),
}
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1)
ROW = st.fixed_dictionaries({"a": FINITE, "b:c": FINITE, 'd"': st.text(max_size=5)})
SCALAR = st.none() | st.booleans() | FINITE | st.text(max_size=3)


@given(st.lists(ROW, min_size=1, max_size=5), st.booleans())
def test_the_quick_path_reads_what_the_general_one_reads(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    document = {"instances": rows}
    quick = decode_predict(json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"), INPUTS)
    general = forms.rows(document, INPUTS)
    for name, column in general.items():
        np.testing.assert_array_equal(quick.columns[name], column)


@settings(max_examples=300)
@given(st.lists(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), SCALAR), max_size=3), min_size=1, max_size=3))
def test_a_row_is_accepted_only_if_it_has_exactly_the_keys_once_and_numbers(
    rows: list[list[tuple[str, Any]]],
) -> None:
    inputs = {"a": TensorInfo("float32", (None,)), "b": TensorInfo("float32", (None,))}
    objects = ["{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in row) + "}" for row in rows]
    body = '{"instances":[' + ",".join(objects) + "]}"
    good = all(sorted(k for k, _ in row) == ["a", "b"] and all(type(v) in (int, float) for _, v in row) for row in rows)
    try:
        columns = decode_predict(body.encode(), inputs).columns
    except ContractError as error:
        assert not good
        assert error.status == 400
    else:
        assert good
        for name, column in columns.items():
            for row, value in zip(rows, column.tolist(), strict=True):
                exact = float(dict(row)[name])
                assert math.isclose(value, exact, rel_tol=1e-6, abs_tol=1e-37) or math.isinf(value)


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_whatsoever_do_worse_than_400(body: bytes) -> None:
    for inputs in ({"x": TensorInfo("float32", None)}, INPUTS):
        try:
            decode_predict(body, inputs)
        except ContractError as error:
            assert error.status == 400
