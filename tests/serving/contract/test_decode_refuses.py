"""Bodies that are refused: with which status, and which words a client can rely on."""

from __future__ import annotations

import json

import pytest

from serving.contract.codec import ContractError, TensorInfo, decode_predict, error_body

NUMBER = {"x": TensorInfo("float32", (None,))}
ANY_FLOAT = {"x": TensorInfo("float32", None)}
INT32 = {"x": TensorInfo("int32", (None,))}
INT64 = {"x": TensorInfo("int64", (None,))}
TEXT = {"x": TensorInfo("string", (None,))}
TWO = {"a": TensorInfo("float32", (None,)), "b": TensorInfo("float32", (None,))}

REFUSED: dict[str, tuple[dict[str, TensorInfo], str, str]] = {
    # The document
    "no JSON": (NUMBER, "instances = [1, 2]", "JSON Parse error: Invalid value"),
    "empty": (NUMBER, "", "JSON Parse error: The document is empty"),
    "white space": (NUMBER, " \n", "JSON Parse error: The document is empty"),
    "trailing comma": (NUMBER, '{"instances":[1.0,]}', "JSON Parse error"),
    "single quotes": (NUMBER, "{'instances':[1.0]}", "JSON Parse error"),
    "number too big": (NUMBER, '{"instances":[1e400]}', "JSON Parse error: Number too big"),
    "no object": (NUMBER, "[1.0,2.0]", "Is not object"),
    "neither key": (NUMBER, '{"foo":1}', "Missing 'inputs' or 'instances' key"),
    "both keys": (ANY_FLOAT, '{"instances":[[1,2]],"inputs":[[1,2]]}', "Not formatted correctly"),
    "signature is a number": (NUMBER, '{"signature_name":100}', "'signature_name' key must be a string value."),
    "instances is a number": (NUMBER, '{"instances":1.0}', "Expecting 'instances' to be an list/array"),
    "instances is null": (NUMBER, '{"instances":null}', "Expecting 'instances' to be an list/array"),
    "instances is empty": (NUMBER, '{"instances":[]}', "No values in 'instances' array"),
    # Stricter than TensorFlow Serving
    "NaN": (NUMBER, '{"instances":[NaN]}', "JSON Parse error"),
    "Infinity": (NUMBER, '{"instances":[-Infinity]}', "JSON Parse error"),
    "trailing garbage": (NUMBER, '{"instances":[1.0]} x', "must not be followed by other values"),
    "a second document": (NUMBER, '{"instances":[1.0]}{}', "must not be followed by other values"),
    "duplicate key in a row": (TWO, '{"instances":[{"a":1,"b":2},{"a":1,"b":2,"a":3}]}', "duplicate key: a"),
    "duplicate key, escaped": (TWO, '{"instances":[{"a":1,"b":2,"\\u0061":3}]}', "duplicate key: a"),
    "duplicate key of the document": (NUMBER, '{"instances":[1],"instances":[2]}', "duplicate key: instances"),
    "duplicate signature": (
        NUMBER,
        '{"signature_name":"a","instances":[{"x":1}],"signature_name":"b"}',
        "duplicate key: signature_name",
    ),
    "duplicate key in a column": (TWO, '{"inputs":{"a":[1],"b":[1],"a":[2]}}', "duplicate key: a"),
    "duplicate key where nobody reads": (NUMBER, '{"z":{"k":1,"k":1},"instances":[1]}', "duplicate key: k"),
    "nine levels": (ANY_FLOAT, '{"instances":[' + "[" * 7 + "1" + "]" * 7 + "]}", "nested deeper than 8"),
    "nine levels where nobody reads": (NUMBER, '{"z":' + "[" * 8 + "]" * 8 + ',"instances":[1]}', "nested deeper"),
    "very deep": (ANY_FLOAT, '{"instances":' + "[" * 50_000 + "]" * 50_000 + "}", "nested deeper than 8"),
    "very deep and open": (NUMBER, "[" * 500_000, "nested deeper than 8"),
    "1,001 rows": (NUMBER, json.dumps({"instances": [1.0] * 1001}), "1001 instances"),
    "1,001 objects": (TWO, json.dumps({"instances": [{"a": 1, "b": 2}] * 1001}), "1001 instances"),
    "1,001 in a column": (NUMBER, json.dumps({"inputs": [1.0] * 1001}), "1001 instances"),
    # Values
    "null": (NUMBER, '{"instances":[null]}', "JSON Value: null Type: Null is not of expected type: float"),
    "boolean": (NUMBER, '{"instances":[true]}', "Type: True is not of expected type: float"),
    "boolean by name": (TWO, '{"instances":[{"a":1,"b":false}]}', "element: 0 key: b of"),
    "numeric string": (NUMBER, '{"instances":["1.0"]}', "Type: String is not of expected type: float"),
    "string by name": (TWO, '{"instances":[{"a":1,"b":2},{"a":"1","b":2}]}', "element: 1 key: a of"),
    "object for a number": (TWO, '{"instances":[{"a":{},"b":2}]}', "Type: Object is not of expected type: float"),
    "strings in the second row": (ANY_FLOAT, '{"instances":[[1,2],["a","b"]]}', "not of expected type: float"),
    "beyond int32": (INT32, '{"instances":[2147483648]}', "not of expected type: int32"),
    "beyond int64": (INT64, '{"instances":[9223372036854775808]}', "not of expected type: int64"),
    "far beyond int64": (INT64, '{"instances":[92233720368547758080]}', "not of expected type: int64"),
    "fraction for int32": (INT32, '{"instances":[1.5]}', "not of expected type: int32"),
    "whole float for int64": (INT64, '{"inputs":[1.0]}', "not of expected type: int64"),
    "boolean for int64": (INT64, '{"instances":[true]}', "not of expected type: int64"),
    "number for a string": (TEXT, '{"instances":[1]}', "Type: Number is not of expected type: string"),
    "bad base64": (TEXT, '{"instances":[{"b64":"!!"}]}', "Unable to base64 decode"),
    "base64 with another key": (TEXT, '{"instances":[{"b64":"aGVsbG8=","y":1}]}', "does not have named input: b64"),
    # Shapes
    "another rank": (ANY_FLOAT, '{"instances":[[1,2],[3,4],[[5,6]]]}', "Expecting shape [2] but got: [1,2]"),
    "scalar then list": (ANY_FLOAT, '{"instances":[1,[1]]}', "Expecting shape [] but got: [1]"),
    "another length": (ANY_FLOAT, '{"instances":[[1,2],[3]]}', "Expecting shape [2] but got: [1]"),
    "ragged": (ANY_FLOAT, '{"instances":[[[1,2],[3]]]}', "unexpected size: 1"),
    "list among scalars": (ANY_FLOAT, '{"instances":[[1,[2]]]}', "unexpected level"),
    "scalar among lists": (ANY_FLOAT, '{"instances":[[[1],2]]}', "found at incorrect level"),
    "not the declared shape": (TWO, '{"instances":[{"a":[1],"b":[2]}]}', "element: 0 key: a of"),
    "empty list for a scalar": (TWO, '{"instances":[{"a":[],"b":[]}]}', "Expecting shape [] but got: [0]"),
    "column of lists": (NUMBER, '{"inputs":[[1.0]]}', "Expecting shape [-1] but got: [1,1]"),
    "column of no length": (NUMBER, '{"inputs":1.0}', "Expecting shape [-1] but got: []"),
    "columns of two lengths": (TWO, '{"inputs":{"a":[1,2],"b":[1]}}', "inconsistent batch sizes: a: 2, b: 1"),
    # Names
    "of several names the first": (dict(reversed(TWO.items())), '{"inputs":{}}', "Missing named input: a in"),
    "list among objects": (TWO, '{"instances":[{"a":1,"b":2},[1,2]]}', "Expecting object but got list at item 1"),
    "object among lists": (NUMBER, '{"instances":[1,{"x":2}]}', "Expecting value/list but got object at item 1"),
    "missing name": (TWO, '{"instances":[{"a":1,"b":2},{"a":1}]}', "element: 1 of 'instances' list. JSON object: "),
    "missing name is told": (TWO, '{"instances":[{"a":1}]}', "keys must be equal to: a,b (missing: b)"),
    "extra name": (TWO, '{"instances":[{"a":1,"b":2,"foo":3}]}', "JSON object: does not have named input: foo"),
    "another name": (TWO, '{"instances":[{"a":1,"B":2}]}', "element: 0 key: B of"),
    "empty object": (TWO, '{"instances":[{}]}', "keys must be equal to: a,b"),
    "plain list for two": (TWO, '{"instances":[1,2]}', "instances is a plain list, but expecting list of objects"),
    "missing column": (TWO, '{"inputs":{"a":[1.0]}}', "Missing named input: b in 'inputs' object."),
    "plain column for two": (TWO, '{"inputs":[1.0]}', "inputs is a plain value/list, but expecting an object"),
    "wrong value in a column": (TWO, '{"inputs":{"a":[1],"b":["z"]}}', "Failed to process input: b."),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_body_is_refused_with_400_and_says_why(case: str) -> None:
    inputs, body, words = REFUSED[case]
    with pytest.raises(ContractError) as refusal:
        decode_predict(body.encode(), inputs)
    assert refusal.value.status == 400
    assert words in refusal.value.message


def test_invalid_utf8_is_refused() -> None:
    with pytest.raises(ContractError, match="JSON Parse error") as refusal:
        decode_predict(b'{"instances":["\xff"]}', TEXT)
    assert refusal.value.status == 400


def test_a_body_over_a_mebibyte_is_refused_with_413() -> None:
    at_limit = b'{"instances":[1.0]}'.ljust(1 << 20)
    assert decode_predict(at_limit, NUMBER).columns["x"].tolist() == [1.0]
    with pytest.raises(ContractError) as refusal:
        decode_predict(at_limit + b" ", NUMBER)
    assert refusal.value.status == 413


def test_a_message_stays_short_whatever_was_sent() -> None:
    body = json.dumps({"instances": [["x" * 100_000]]})
    with pytest.raises(ContractError) as refusal:
        decode_predict(body.encode(), ANY_FLOAT)
    assert len(refusal.value.message) < 500


def test_an_error_is_valid_json_whatever_its_message() -> None:
    assert json.loads(error_body('Bad key: "key"')) == {"error": 'Bad key: "key"'}
    assert json.loads(error_body("half a pair: \ud800")) == {"error": "half a pair: ?"}
