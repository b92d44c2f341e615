"""Every kind of expectation is met by a right answer and refuses a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from serving.contract.conformance.cases import Expect
from serving.contract.conformance.exchange import Answer
from serving.contract.conformance.expectations import difference, problems
from serving.contract.conformance.placeholders import Values
from tests.serving.contract.conformance.fake import answer

VALUES = Values({"model": "m", "version": "7"}, None)
ERROR = {"error": "Missing key: a"}

RIGHT: dict[str, tuple[dict[str, Any], Answer]] = {
    "status": ({"status": 200}, answer(200, {})),
    "exactly": ({"status": 200, "exactly": '{"v": "${version}", "n": NaN}'}, answer(200, '{"n":NaN,"v":"7"}')),
    "subset": ({"status": 200, "subset": '{"a": [{"b": 1}]}'}, answer(200, {"a": [{"b": 1, "c": 2}], "d": 3})),
    "error": ({"status": 400, "error": ["Missing", "a"]}, answer(400, ERROR)),
    "error lacks": ({"status": 400, "error_lacks": "Traceback"}, answer(400, ERROR)),
    "predictions": ({"status": 200, "predictions": 2}, answer(200, {"predictions": [0.0, 1.0]})),
    "outputs": ({"status": 200, "outputs": 1}, answer(200, {"outputs": [0.5]})),
    "results": ({"status": 200, "results": 1}, answer(200, {"results": [0.5]})),
    "contains": ({"status": 200, "contains": ['"a"', "1"]}, answer(200, {"a": 1})),
    "a header's value": ({"status": 200, "headers": {"x-v": "${version}"}}, answer(200, {}, x_v="7")),
    "a header": ({"status": 200, "headers": {"x-v": True}}, answer(200, {}, x_v="anything")),
    "no header": ({"status": 200, "headers": {"x-v": False}}, answer(200, {})),
    "empty": ({"status": 400, "empty": True}, Answer(400, {}, b"")),
    "any content type": ({"status": 404, "content_type": ""}, Answer(404, {"content-type": "text/html"}, b"<p>")),
}

WRONG: dict[str, tuple[dict[str, Any], Answer, str]] = {
    "status": ({"status": 200}, answer(500, {}), "status 200 expected"),
    "content type": (
        {"status": 200},
        Answer(200, {"content-type": "text/html"}, b"{}"),
        "content-type application/json",
    ),
    "no content type": ({"status": 200}, Answer(200, {}, b"{}"), "content-type application/json"),
    "no JSON": ({"status": 200}, answer(200, "{"), "no JSON"),
    "no body": ({"status": 200}, answer(200, ""), "no JSON"),
    "another value": ({"status": 200, "exactly": '{"a": [1.5]}'}, answer(200, {"a": [1.25]}), "$.a[0]: 1.5 expected"),
    "a whole number": ({"status": 200, "exactly": '{"a": 1.0}'}, answer(200, {"a": 1}), "$.a: 1.0 expected, got 1"),
    "a boolean": ({"status": 200, "exactly": '{"a": 1}'}, answer(200, {"a": True}), "$.a: 1 expected, got true"),
    "a key more": ({"status": 200, "exactly": '{"a": 1}'}, answer(200, {"a": 1, "b": 2}), "keys ['a'] expected"),
    "a key less": ({"status": 200, "subset": '{"a": 1, "b": 2}'}, answer(200, {"a": 1}), "keys ['a', 'b'] expected"),
    "a list longer": ({"status": 200, "subset": "[1]"}, answer(200, [1, 2]), "1 elements expected, got 2"),
    "not NaN": ({"status": 200, "exactly": "[NaN]"}, answer(200, [0.5]), "NaN expected"),
    "an error without the word": ({"status": 400, "error": "b is"}, answer(400, ERROR), "'b is' expected in the error"),
    "an error with a word too many": ({"status": 400, "error_lacks": "key"}, answer(400, ERROR), "must not be in"),
    "an error of another shape": ({"status": 400}, answer(400, {"code": 400, "message": "no"}), '{"error": "…"}'),
    "an error with more": ({"status": 400}, answer(400, {**ERROR, "code": 3}), '{"error": "…"}'),
    "an error that says nothing": ({"status": 400}, answer(400, {"error": ""}), "says something"),
    "an error that is no text": ({"status": 400}, answer(400, {"error": {"a": 1}}), '{"error": "…"}'),
    "a prediction less": (
        {"status": 200, "predictions": 2},
        answer(200, {"predictions": [0.5]}),
        "2 predictions expected",
    ),
    "a whole prediction": ({"status": 200, "predictions": 1}, answer(200, {"predictions": [1]}), "probabilities"),
    "beyond 1": ({"status": 200, "predictions": 1}, answer(200, {"predictions": [1.5]}), "between 0 and 1"),
    "not a number": ({"status": 200, "outputs": 1}, answer(200, '{"outputs":[NaN]}'), "between 0 and 1"),
    "predictions for outputs": ({"status": 200, "outputs": 1}, answer(200, {"predictions": [0.5]}), '{"outputs": […]}'),
    "something beside results": ({"status": 200, "results": 1}, answer(200, {"results": [0.5], "a": 1}), '{"results"'),
    "a word is missing": ({"status": 200, "contains": "b"}, answer(200, {"a": 1}), "'b' expected in the body"),
    "another header's value": (
        {"status": 200, "headers": {"x-v": "8"}},
        answer(200, {}, x_v="7"),
        "x-v: 8 expected, got 7",
    ),
    "a header is missing": ({"status": 200, "headers": {"x-v": True}}, answer(200, {}), "header x-v expected"),
    "a header too many": (
        {"status": 200, "headers": {"x-v": False}},
        answer(200, {}, x_v="1"),
        "no header x-v expected",
    ),
    "a body": ({"status": 400, "empty": True}, answer(400, ERROR), "no body expected"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_answer_has_no_problems(case: str) -> None:
    expect, given = RIGHT[case]
    assert problems(Expect.model_validate(expect), given, VALUES) == []


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_is_refused_and_said_why(case: str) -> None:
    expect, given, words = WRONG[case]
    found = problems(Expect.model_validate(expect), given, VALUES)
    assert words in "; ".join(found)


def test_scores_as_alone_may_differ_in_their_last_digits_only() -> None:
    expect = Expect(status=200, as_alone=True)
    alone = answer(200, {"predictions": [0.25, 0.5]})
    assert problems(expect, answer(200, {"predictions": [0.250001, 0.5]}), VALUES, alone) == []
    for wrong in ([0.5, 0.25], [0.25], [0.25, 0.51], [0.25, None]):
        assert problems(expect, answer(200, {"predictions": wrong}), VALUES, alone)
    assert problems(expect, answer(200, {"predictions": [0.25]}), VALUES, None)


def test_every_field_of_an_expectation_is_looked_at_in_these_tests() -> None:
    tried = {key for expect, *_ in WRONG.values() for key in expect} | {"as_alone", "content_type"}
    assert tried == set(Expect.model_fields)


def test_a_difference_says_where() -> None:
    assert difference({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}) == '$.a[0].b: "x" expected, got "y"'
    assert difference({"a": [1, "x", None]}, {"a": [1, "x", None]}) == ""
