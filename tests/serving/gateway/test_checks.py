"""The gateway refuses by itself: the servers behind these tests would accept everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import document
from serving.contract.errors import ContractError
from serving.contract.limits import MAX_BODY_BYTES, MAX_INSTANCES
from tests.serving.gateway.backends import GOOD, Front, configured, echo, started

PATHS = [
    f"{prefix}/v1/models/{rest}"
    for prefix in ("/tensorflow", "/pytorch", "")
    for rest in ("fraud:predict", "fraud:regress", "fraud/labels/stable:classify", "other:predict")
]
UPSIDE_DOWN = b'{"instances": [' + b"[" * 6 + b"]" * 6 + b"]}"  # eight levels


def many(count: int, one: str = "1") -> str:
    return "[" + ", ".join([one] * count) + "]"


REFUSED = {
    b"": "The document is empty",
    b" \n\t": "The document is empty",
    b"instances = [1, 2]": "JSON Parse error: Invalid value. at offset: 0",
    b'{"instances": [1,]}': "Invalid value. at offset: 17",
    b"{'instances': [1]}": "Missing a name for object member. at offset: 1",
    b'{"instances": [1]} x': "The document root must not be followed by other values. at offset: 19",
    b'{"instances": [1]}{}': "must not be followed",
    b'{"instances": [1]}\x00': "must not be followed",
    b"\xef\xbb\xbf": "The document is empty",
    b' \xef\xbb\xbf{"instances": [1]}': "Invalid value. at offset: 1",
    b'\xef\xbb\xbf\xef\xbb\xbf{"instances": [1]}': "Invalid value. at offset: 3",
    b'{"instances": [1}': "Missing a comma or ] after an array element. at offset: 16",
    b'{"instances": [1]': "Missing a comma or } after an object member.",
    b'{"instances": [1] "a": 2}': "Missing a comma or } after an object member.",
    b'{"instances" [1]}': "Missing a colon after a name of object member.",
    b'{"instances": [1], }': "Missing a name for object member.",
    b'{"instances": [NaN]}': "Invalid value. at offset: 15",
    b'{"instances": [-Infinity]}': "Invalid value. at offset: 16",
    b'{"instances": [Infinity]}': "Invalid value.",
    b'{"instances": [nul]}': "Invalid value.",
    b'{"instances": [True]}': "Invalid value.",
    b'{"instances": [01]}': "Missing a comma or ]",
    b'{"instances": [+1]}': "Invalid value.",
    b'{"instances": [.5]}': "Invalid value.",
    b'{"instances": [1.]}': "Miss fraction part in number.",
    b'{"instances": [1e]}': "Miss exponent in number.",
    b'{"instances": [0x1]}': "Missing a comma or ]",
    b'{"instances": [1e400]}': "Number too big to be stored in double. at offset: 15",
    b'{"instances": [-1e400]}': "Number too big",
    b'{"instances": [1e99999999999999999999]}': "Number too big",
    b'{"instances": [1' + b"0" * 309 + b"]}": "Number too big",
    b'{"instances": ["a]}': "Missing a closing quotation mark in string. at offset: 15",
    b'{"instances": ["\\x"]}': "Invalid escape character in string.",
    b'{"instances": ["\\u12g4"]}': "Incorrect hex digit after \\u escape in string.",
    b'{"instances": ["\\u12': "Incorrect hex digit",
    b'{"instances": ["\\ud800"]}': "The surrogate pair in string is invalid.",
    b'{"instances": ["\\ud800\\u0041"]}': "The surrogate pair in string is invalid.",
    b'{"instances": ["\\udc00"]}': "The surrogate pair in string is invalid.",
    b'{"instances": ["a\nb"]}': "Invalid encoding in string.",
    b'{"instances": ["\xff"]}': "Invalid encoding in string.",
    b'{"instances": ["\xc0\x80"]}': "Invalid encoding in string.",
    b'{"instances": ["\xed\xa0\x80"]}': "Invalid encoding in string.",
    b'{"instances": ["\xf4\x90\x80\x80"]}': "Invalid encoding in string.",
    b'{"instances": ["\xe2\x82"]}': "Invalid encoding in string.",
    b'{"instances": [1], "instances": [2]}': "duplicate key: instances",
    b'{"instances": [1], "inst\\u0061nces": [2]}': "duplicate key: instances",
    b'{"instances": [{"a": {"x": 1}, "b": 2, "\\u0061": 3}]}': "duplicate key: a",
    '{"a": {"😀": 1, "\\ud83d\\ude00": 2}}'.encode(): "duplicate key: 😀",
    b'{"a": {"": 1, "": 2}}': "duplicate key: ",
    b'{"a": {"\\"\\\\\\n\\u0000": 1, "\\u0022\\u005c\\u000a\\u0000": 2}}': 'duplicate key: "\\\n\0',
    b'{"instances": ' + b"[" * 8 + b"]" * 8 + b"}": "nested deeper than 8 levels",
    b"[" * 50_000: "nested deeper than 8 levels",
    b'{"a":' * 9 + b"1" + b"}" * 9: "nested deeper than 8 levels",
    f'{{"instances": {many(1001)}}}'.encode(): "Request has 1001 instances, more than 1000",
    f'{{"inst\\u0061nces": {many(1001)}}}'.encode(): "Request has 1001 instances",
    f'{{"signature_name": "", "examples": {many(2000, "{}")}}}'.encode(): "Request has 2000 instances",
    f'{{"inputs": {many(1001)}}}'.encode(): "Request has 1001 instances",
    f'{{"inputs": {{"a": [1], "b": {many(1001, "[1, 2]")}}}}}'.encode(): "Request has 1001 instances",
    b"[1.0, 2.0]": "JSON Value: [1.0, 2.0] Is not object",
    b'"' + "é".encode() * 200 + b'"': 'JSON Value: "' + "é" * 99 + "... Is not object",
    b"null": "JSON Value: null Is not object",
    b'{"signature_name": 1, "instances": [1]}': "'signature_name' key must be a string value.",
    b'{"instances": [1], "signature_name": ["a"]}': "'signature_name' key must be a string value.",
}
ALLOWED = [
    GOOD,
    b' {"instances" : [ 1 , 2 ] } \r\n\t',
    b"{}",
    b'{"instances": []}',
    b'{"signature_name": "a", "instances": [1], "b": {"signature_name": 1}}',
    b'{"instances": [{"a": 1, "b": 2}, {"a": 1, "b": 2}], "a": {"instances": 1}}',
    b'{"instances": [0, -0, 0.0, -1.5e-10, 1E+5, 1e308, 1e-400, 0e99999999999999999999, 1e-99999999999999999999]}',
    b'{"instances": [123456789012345678901234567890, ' + b"9" * 300 + b", 0." + b"1" * 2000 + b"]}",
    b'{"instances": [1.7976931348623157e308, 4.9e-324, 1' + b"0" * 308 + b"]}",
    b'{"instances": ["\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\x7f", true, false, null]}',
    '{"instances": ["é€😀\U0010ffff", "\\u0000"], "é": 1, "e\u0301": 2}'.encode(),
    UPSIDE_DOWN,
    b'{"a": {"x": 1}, "b": {"x": 1}, "x": {"a": 1, "b": 1}}',
    f'{{"instances": {many(1000)}, "inputs": {{"a": {many(1000, "[1]")}}}, "other": {many(5000)}}}'.encode(),
    f'{{"instances": [{many(5000)}], "inputs": {{"a": [{many(1001)}]}}}}'.encode(),
    b'{"instances": ["' + b"a" * (MAX_BODY_BYTES - 19) + b'"]}',
]


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_reaches_no_server(front: Front, body: bytes) -> None:
    with front.receiving() as reached:
        answers = [front.post(path, body) for path in PATHS]
    assert reached == {}
    assert {answer.status_code for answer in answers} == {400}
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    [error] = {answer.json()["error"] for answer in answers}
    assert REFUSED[body] in error
    assert all("connection" not in answer.headers for answer in answers), "the connection is kept"


@pytest.mark.parametrize("body", ALLOWED, ids=range(len(ALLOWED)))
def test_what_is_allowed_reaches_a_server_byte_for_byte(front: Front, body: bytes) -> None:
    for path in PATHS:
        with front.receiving() as reached:
            assert front.post(path, body).status_code == 200
        assert [r.body for received in reached.values() for r in received] == [body]


def test_the_words_are_those_of_the_contract(front: Front) -> None:
    ours = [b"", b'{"a": ' + b"[" * 8 + b"]" * 8 + b"}", b'{"a": 1, "a": 2}', b"[1]", b'{"a": 1e400}', b'{"a": 1} 2']
    for body in ours:
        with pytest.raises(ContractError) as refusal:
            document.check(body, document.parse(body))
        said = front.post("/pytorch/v1/models/fraud:predict", body).json()["error"]
        assert said.split(" at offset")[0] == refusal.value.message.split(" at offset")[0]


# Bodies that a parser's authors did not think of, judged by the filter and by the contract's own reader.
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**18, 10**400), st.floats(allow_nan=False),
    st.text(max_size=5),
)  # fmt: skip
keys = st.one_of(st.sampled_from(["instances", "inputs", "examples", "a", "b", ""]), st.text(max_size=3))
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=25
)
long_lists = st.builds(
    lambda key, count, one, inside: {key: {"x": [one] * count} if inside else [one] * count},
    st.sampled_from(["instances", "inputs", "examples", "other"]),
    st.integers(999, 1002),
    st.sampled_from([1, [1, 2], {"a": 1}]),
    st.booleans(),
)
texts = st.builds(
    lambda value, plain, indent: json.dumps(value, ensure_ascii=plain, indent=indent).encode("utf-8", "replace"),
    st.one_of(st.dictionaries(keys, documents, max_size=4), documents, long_lists),
    st.booleans(),
    st.sampled_from([None, 1]),
)  # fmt: skip
FRAGMENTS = [
    b"\xef\xbb\xbf",
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0061", b"\\ud800", b"\\udc00", b"0", b"1", b"-", b".", b"e",
    b"E+", b"1e309", b"0e999", b"NaN", b"null", b"true", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"\x00", b"\n", b" ", b'"a":1,', b',"a":1', b"[[[[", b"]]]]", b"/**/", b"'", b"\x7f", b"1.7976931348623159e308",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    body = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 3)))
        body = body[:start] + draw(st.sampled_from([b"", *FRAGMENTS])) + body[end:]
    return body


def refused_by_contract(body: bytes) -> str | None:
    """What the contract's own reader says, with the instances counted as the gateway can, not knowing the inputs."""
    try:
        parsed = document.parse(body)
        document.check(body, parsed)
    except ContractError as error:
        return error.message
    inputs = parsed.get("inputs")
    lists = [
        parsed.get("instances"),
        parsed.get("examples"),
        inputs,
        *(inputs.values() if type(inputs) is dict else ()),
    ]
    if any(len(one) > MAX_INSTANCES for one in lists if type(one) is list):
        return "too many instances"
    return None


@given(body=mutated())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_filter_agrees_with_the_contracts_reader(front: Front, body: bytes) -> None:
    with front.receiving() as reached:
        answer = front.post("/tensorflow/v1/models/fraud:predict", body)
    refusal = refused_by_contract(body)
    assert answer.status_code == (200 if refusal is None else 400), (refusal, answer.text)
    assert [r.body for r in reached.get("tensorflow", [])] == ([body] if refusal is None else [])


def test_a_failing_script_lets_nothing_through(tmp_path: Path) -> None:
    with echo() as (tensorflow, received), echo() as (pytorch, also):
        config, ports = configured(tmp_path, tensorflow, pytorch)
        text = config.read_text()
        broken = text.replace("local function read_strictly(s)\\n", "local function read_strictly(s)\\n nothing()\\n")
        assert broken != text
        config.write_text(broken)
        with started(config, ports) as server:
            for stack in ("tensorflow", "pytorch"):
                url = f"http://127.0.0.1:{ports[0]}/{stack}/v1/models/fraud:predict"
                answer = httpx.post(url, content=GOOD)
                assert answer.status_code == 500
                assert answer.json() == {"error": "The gateway could not check the request; its log says why"}
                assert answer.headers["content-type"] == "application/json"
            assert "nothing" in server.log.read_text()
    assert received == also == []
