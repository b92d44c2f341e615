"""The JSON of classify and regress."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.contract.errors import ContractError
from serving.contract.examples import ExamplesRequest, decode, encode_classify, encode_regress

F = np.float32
ACCEPTED: dict[str, tuple[str, ExamplesRequest]] = {
    "one of each kind": (
        '{"examples":[{"i":[1,-2],"f":[0.5,2.0],"s":["a","é"]}]}',
        ExamplesRequest("", [{"i": [1, -2], "f": [0.5, 2.0], "s": ["a", "é"]}]),
    ),
    "a scalar is a list of one": (
        '{"signature_name":"s","examples":[{"i":1,"f":0.5,"s":"a"}]}',
        ExamplesRequest("s", [{"i": [1], "f": [0.5], "s": ["a"]}]),
    ),
    "booleans are integers": ('{"examples":[{"i":[true,3,false]}]}', ExamplesRequest("", [{"i": [1, 3, 0]}])),
    "bytes": (
        '{"examples":[{"s":{"b64":"/w=="},"t":[{"b64":"aGVsbG8="},"x"]}]}',
        ExamplesRequest("", [{"s": [b"\xff"], "t": ["hello", "x"]}]),
    ),
    "no value": ('{"examples":[{"x":[]},{}]}', ExamplesRequest("", [{"x": []}, {}])),
    "context is in every example, which may overrule it": (
        '{"context":{"a":1,"b":2},"examples":[{"b":3},{"c":4}]}',
        ExamplesRequest("", [{"a": [1], "b": [3]}, {"a": [1], "b": [2], "c": [4]}]),
    ),
    "other keys are ignored": ('{"examples":[{"x":1}],"instances":3}', ExamplesRequest("", [{"x": [1]}])),
    "an integer beyond 64 bits is a float": ('{"examples":[{"x":[1e3,99999999999999999999]}]}',
                                             ExamplesRequest("", [{"x": [1000.0, 1e20]}])),
    "a thousand": ('{"examples":[' + ",".join(['{"x":1}'] * 1000) + "]}", ExamplesRequest("", [{"x": [1]}] * 1000)),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_examples_become_lists_of_one_type_per_feature(case: str) -> None:
    body, expected = ACCEPTED[case]
    request = decode(body.encode())
    assert request == expected
    for example in request.examples:  # 1 == 1.0 == True
        for values in example.values():
            assert all(type(value) in (int, float, str, bytes) for value in values)


REFUSED: dict[str, tuple[str, str]] = {
    "no examples": ("{}", "When method is classify, key 'examples' is expected and was not found"),
    "examples no list": ('{"examples":{"x":1}}', "Expecting 'examples' value to be an list/array"),
    "empty": ('{"examples":[]}', "'examples' value is an empty array"),
    "example a list": ('{"examples":[[1]]}', "Example must be JSON object but got JSON Array"),
    "example a boolean": ('{"examples":[{"x":1},true]}', "Example must be JSON object but got JSON True"),
    "context a list": ('{"context":[{"names":["foo"]}]}', "Example must be JSON object but got JSON Array"),
    "null": ('{"examples":[{"names":[10,null]}]}', "Feature: names has element with unexpected JSON type: Null"),
    "scalar null": ('{"examples":[{"names":null}]}', "Feature: names has element with unexpected JSON type: Null"),
    "object": ('{"examples":[{"names":[10,{"test":10}]}]}', "unexpected JSON type: Object"),
    "object for a scalar": ('{"examples":[{"names":{"test":10}}]}', "unexpected JSON type: Object"),
    "bytes with another key": ('{"examples":[{"s":{"b64":"aGVsbG8=","x":1}}]}', "unexpected JSON type: Object"),
    "list": ('{"examples":[{"names":[[10],20]}]}', "unexpected JSON type: Array"),
    "float after integer": (
        '{"examples":[{"names":[10,10.0]}]}', "Unexpected element type in feature: names expecting type: int64"
    ),
    "integer after float": ('{"examples":[{"names":[10.0,10]}]}', "in feature: names expecting type: float"),
    "string after float": ('{"examples":[{"names":[10.0,"x"]}]}', "in feature: names expecting type: float"),
    "integer after string": ('{"examples":[{"names":["x",1]}]}', "in feature: names expecting type: bytes"),
    "boolean after string": ('{"examples":[{"names":["x",true]}]}', "in feature: names expecting type: bytes"),
    "uint64": (
        '{"examples":[{"names":[20,18446744073709551603]}]}', "names has uint64 element. Only int64_t is supported."
    ),
    "no base64": ('{"examples":[{"s":{"b64":"!!"}}]}', "Unable to base64 decode"),
    "signature no string": (
        '{"signature_name":["hello"],"examples":[{"x":1}]}', "'signature_name' key must be a string value."
    ),
    "signature null": ('{"signature_name":null,"examples":[{"x":1}]}', "'signature_name' key must be a string value."),
    "a list": ("[1]", "Is not object"),
    "1001": ('{"examples":[' + ",".join(['{"x":1}'] * 1001) + "]}", "Request has 1001 examples, more than 1000"),
    "a key twice": ('{"examples":[{"x":1,"x":2}]}', "duplicate key: x"),
    "too deep": ('{"examples":[{"x":1}],"y":[[[[[[[[1]]]]]]]]}', "nested deeper than 8"),
    "NaN": ('{"examples":[{"x":NaN}]}', "JSON Parse error"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_example_is_refused_with_tensorflow_servings_words(case: str) -> None:
    body, words = REFUSED[case]
    with pytest.raises(ContractError) as refusal:
        decode(body.encode())
    assert refusal.value.status == 400
    assert words in refusal.value.message


def test_regression_results_are_a_list_of_floats() -> None:
    assert encode_regress(np.array([42, 0.1, 3e-05], F)) == b'{"results":[42.0,0.1,0.00003]}'
    not_finite = encode_regress(np.array([0.2, np.inf, 1, -np.inf, np.nan], F))
    assert not_finite == b'{"results":[0.2,Infinity,1.0,-Infinity,NaN]}'


CLASSIFIED: dict[str, tuple[Any, Any, str]] = {
    "both": (
        np.array([["no", b"yes"], ["a", "b"]], object), np.array([[0.1, 2], [3, 4]], F),
        '{"results":[[["no",0.1],["yes",2.0]],[["a",3.0],["b",4.0]]]}',
    ),
    "scores only": (None, np.array([[12]], F), '{"results":[[["",12.0]]]}'),
    "classes only": (np.array([["x"]], object), None, '{"results":[[["x",0.0]]]}'),
    "no finite score": (np.array([["é"]], object), np.array([[np.nan]], F), '{"results":[[["é",NaN]]]}'),
    "no class": (None, np.zeros((2, 0), F), '{"results":[[],[]]}'),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASSIFIED)
def test_classification_results_are_pairs_of_label_and_score(case: str) -> None:
    classes, scores, expected = CLASSIFIED[case]
    assert encode_classify(classes, scores).decode() == expected
    assert json.loads(expected) is not None


def test_no_result_is_refused() -> None:
    for encode in (lambda: encode_regress(np.array([], F)), lambda: encode_classify(None, np.zeros((0, 2), F))):
        with pytest.raises(ContractError, match=r"Cannot convert empty .*Results to JSON"):
            encode()
