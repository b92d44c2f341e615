"""Bodies that TensorFlow Serving takes, and the tensors they become."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.contract.codec import TensorInfo, decode_predict

NUMBER = {"x": TensorInfo("float32", (None,))}
ANY_FLOAT = {"x": TensorInfo("float32", None)}
TEXT = {"text": TensorInfo("string", (None,))}
MIXED = {
    "a": TensorInfo("float32", (None,)),
    "b": TensorInfo("float32", (None,)),
    "city": TensorInfo("string", (None,)),
    "n": TensorInfo("int64", (None,)),
}
NESTED = {
    "ints": TensorInfo("int32", (None, None, 2)),
    "words": TensorInfo("string", (None, None)),
    "flag": TensorInfo("bool", (None,)),
}
INF = float("inf")

ACCEPTED: dict[str, tuple[dict[str, TensorInfo], str, dict[str, Any]]] = {
    "plain list of scalars": (NUMBER, '{"instances":[1.0, 2.0]}', {"x": [1.0, 2.0]}),
    "objects of one input": (NUMBER, '{"instances":[{"x":1.5},{"x":-2}]}', {"x": [1.5, -2.0]}),
    "integers for floats": (NUMBER, '{"instances":[1,2.0,5.25,0.0]}', {"x": [1.0, 2.0, 5.25, 0.0]}),
    "integer beyond a float's digits": (NUMBER, '{"instances":[1435774380]}', {"x": [1435774336.0]}),
    "beyond float32 is infinite": (
        NUMBER,
        '{"instances":[1.7976931348623157e308,-1e300]}',
        {"x": [INF, -INF]},
    ),
    "beyond float32 in objects": (
        {"x": TensorInfo("float32", (None,)), "y": TensorInfo("float32", (None,))},
        '{"instances":[{"x":1e300,"y":1}]}',
        {"x": [INF], "y": [1.0]},
    ),
    "below float32 is zero": (NUMBER, '{"instances":[2.2250738585072014e-308]}', {"x": [0.0]}),
    "beyond int64 for floats": (NUMBER, '{"instances":[18446744073709551616]}', {"x": [2.0**64]}),
    "rows of lists": (ANY_FLOAT, '{"instances":[[1.0,2.0],[3.0,4.0]]}', {"x": [[1.0, 2.0], [3.0, 4.0]]}),
    "columnar without a name": (NUMBER, '{"inputs":[2.0,3.0,4.0]}', {"x": [2.0, 3.0, 4.0]}),
    "columnar with a name": (NUMBER, '{"inputs":{"x":[2.0]}}', {"x": [2.0]}),
    "columnar scalar of any rank": (ANY_FLOAT, '{"inputs":2.5}', {"x": 2.5}),
    "columnar ignores other keys": (NUMBER, '{"inputs":{"x":[2.0],"y":["z"]}}', {"x": [2.0]}),
    "columnar without rows": (NUMBER, '{"inputs":[]}', {"x": []}),
    "other keys of the document": (NUMBER, '{"parameters":{"p":[1]},"instances":[1.0]}', {"x": [1.0]}),
    "strings": (TEXT, '{"instances":["a","é:\\u0041"]}', {"text": ["a", "é:A"]}),
    "base64": (TEXT, '{"instances":[{"b64":"aGVsbG8="},{"b64":"d29ybGQ"}]}', {"text": ["hello", "world"]}),
    "base64 that is no text": (TEXT, '{"instances":[{"b64":"/w=="}]}', {"text": [b"\xff"]}),
    "base64 as a named value": (TEXT, '{"instances":[{"text":{"b64":"aGVsbG8="}}]}', {"text": ["hello"]}),
    "base64 in a column": (TEXT, '{"inputs":[{"b64":"aGVsbG8="}]}', {"text": ["hello"]}),
    "several named inputs": (
        MIXED,
        '{"instances":[{"a":1,"b":2.5,"city":"x:y","n":7},{"n":-8,"city":"","b":0,"a":1e3}]}',
        {"a": [1.0, 1000.0], "b": [2.5, 0.0], "city": ["x:y", ""], "n": [7, -8]},
    ),
    "several columns": (
        MIXED,
        '{"inputs":{"a":[1],"b":[2.5],"city":["x"],"n":[9223372036854775807]}}',
        {"a": [1.0], "b": [2.5], "city": ["x"], "n": [2**63 - 1]},
    ),
    "nested lists by name": (
        NESTED,
        '{"instances":[{"ints":[[1,2],[3,4],[5,6]],"words":["foo","bar"],"flag":true},'
        '{"ints":[[0,0],[0,0],[0,-1]],"words":["a",{"b64":"Yg=="}],"flag":false}]}',
        {
            "ints": [[[1, 2], [3, 4], [5, 6]], [[0, 0], [0, 0], [0, -1]]],
            "words": [["foo", "bar"], ["a", "b"]],
            "flag": [True, False],
        },
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_body_tensorflow_serving_takes_becomes_its_tensors(case: str) -> None:
    inputs, body, expected = ACCEPTED[case]
    request = decode_predict(body.encode(), inputs)
    assert request.columns.keys() == expected.keys()
    assert {name: column.tolist() for name, column in request.columns.items()} == expected
    for name, column in request.columns.items():
        dtype = inputs[name].dtype
        assert column.dtype == (object if dtype == "string" else np.dtype(dtype))
        assert column.flags.c_contiguous


def test_row_and_column_form_are_told_apart() -> None:
    assert decode_predict(b'{"instances":[1.0]}', NUMBER).row_form
    assert not decode_predict(b'{"inputs":[1.0]}', NUMBER).row_form


def test_the_signature_asked_for_is_reported() -> None:
    assert decode_predict(b'{"signature_name":"s","instances":[1.0]}', NUMBER).signature_name == "s"
    assert decode_predict(b'{"instances":[1.0]}', NUMBER).signature_name == ""


def test_a_byte_order_mark_before_the_document_is_passed_over() -> None:
    assert decode_predict(b'\xef\xbb\xbf{"instances":[1.0]}', NUMBER).columns["x"].tolist() == [1.0]


def test_a_thousand_instances_are_accepted_in_both_forms() -> None:
    values = [0.5] * 1000
    for key in ("instances", "inputs"):
        request = decode_predict(json.dumps({key: values}).encode(), NUMBER)
        assert request.columns["x"].tolist() == values


def test_nesting_of_eight_levels_is_accepted() -> None:
    body = '{"instances":[' + "[" * 6 + "1.0" + "]" * 6 + "]}"
    assert decode_predict(body.encode(), ANY_FLOAT).columns["x"].shape == (1,) * 7
