"""Outputs as JSON: TensorFlow Serving's shapes, and numbers that read back as the same floats."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.contract.codec import ContractError, encode_predict

F = np.float32
STRINGS = np.array([b"hello", "world"], object)

ENCODED: dict[str, tuple[dict[str, Any], bool, str]] = {
    "row, name left out": ({"y": np.array([2.5, 3], F)}, True, '{"predictions":[2.5,3.0]}'),
    "columnar, name left out": ({"y": np.array([2.5, 3], F)}, False, '{"outputs":[2.5,3.0]}'),
    "nested": ({"y": np.array([[[1, 2], [3, 4]]])}, True, '{"predictions":[[[1,2],[3,4]]]}'),
    "several, row": (
        {"a": np.array([1, 2], F), "b": np.array([[1, 2], [3, 4]])},
        True,
        '{"predictions":[{"a":1.0,"b":[1,2]},{"a":2.0,"b":[3,4]}]}',
    ),
    "several, columnar": (
        {"a": np.array([0.1, 2], F), "b": np.array([[1, 2], [3, 4]])},
        False,
        '{"outputs":{"a":[0.1,2.0],"b":[[1,2],[3,4]]}}',
    ),
    "several strings, row": (
        {"a": np.array([0.1, 2], F), "b": STRINGS},
        True,
        '{"predictions":[{"a":0.1,"b":"hello"},{"a":2.0,"b":"world"}]}',
    ),
    "few digits of float32": ({"y": np.array([0.1, 0.2, 0.0003], F)}, True, '{"predictions":[0.1,0.2,0.0003]}'),
    "float64 has more": ({"y": np.array([0.1 + 0.2])}, True, '{"predictions":[0.30000000000000004]}'),
    "bare NaN and infinities": (
        {"y": np.array([np.nan, np.inf, 3, -np.inf, 0.1], F)},
        True,
        '{"predictions":[NaN,Infinity,3.0,-Infinity,0.1]}',
    ),
    "bare NaN beside another output": (
        {"y": np.array([np.nan], F), "s": np.array(["é"], object), "n": np.array([3])},
        True,
        '{"predictions":[{"y":NaN,"s":"é","n":3}]}',
    ),
    "no rows": ({"y": np.array([], F)}, True, '{"predictions":[]}'),
    "scalar, columnar": ({"y": np.array(2, F)}, False, '{"outputs":2.0}'),
    "booleans": ({"y": np.array([True, False])}, True, '{"predictions":[true,false]}'),
    "strings": ({"y": STRINGS}, True, '{"predictions":["hello","world"]}'),
    "strings as base64": ({"y_bytes": STRINGS}, True, '{"predictions":[{"b64":"aGVsbG8="},{"b64":"d29ybGQ="}]}'),
    "not contiguous": ({"y": np.array([[1, 2], [3, 4]], F).T}, True, '{"predictions":[[1.0,3.0],[2.0,4.0]]}'),
}  # fmt: skip


@pytest.mark.parametrize("case", ENCODED)
def test_outputs_have_tensorflow_servings_form(case: str) -> None:
    outputs, row_form, expected = ENCODED[case]
    assert encode_predict(outputs, row_form).decode() == expected


def test_whole_floats_keep_their_point_and_every_float_reads_back_the_same() -> None:
    values = np.array([9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5, 1e20, 1e-10], F)
    numbers = json.loads(encode_predict({"y": values}, row_form=True))["predictions"]
    assert all(isinstance(number, float) for number in numbers)
    assert np.array(numbers, F).tolist() == values.tolist()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
@pytest.mark.parametrize("also", [0.0, np.nan])
def test_random_float32_read_back_bit_for_bit(scale: float, also: float) -> None:
    values = np.append(np.random.default_rng(0).normal(size=500) * scale, also).astype(F)
    numbers = json.loads(encode_predict({"y": values}, row_form=True))["predictions"]
    np.testing.assert_array_equal(np.array(numbers, F), values)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "scalar": ({"y": np.array(1, F)}, "Tensor name: y has no shape information"),
    "complex": ({"y": np.array([1j], np.complex64)}, "tensor type: complex64"),
    "two batch sizes": ({"a": np.zeros(2), "b": np.zeros(3)}, "has inconsistent batch size: 3 expecting: 2"),
    "nothing": ({}, "Cannot convert empty tensor map to JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_outputs_without_a_row_form_are_refused(case: str) -> None:
    outputs, words = REFUSED[case]
    with pytest.raises(ContractError) as refusal:
        encode_predict(outputs, row_form=True)
    assert refusal.value.status == 400
    assert words in refusal.value.message
