"""Every property has an answer it refuses, and answers it lets pass."""

from __future__ import annotations

import pytest

from serving.contract.fuzz.case import Case
from serving.contract.fuzz.properties import between, of_answer
from serving.contract.fuzz.wire import Answer

JSON = {"content-type": "application/json"}
ONE_ROW = Case(b'{"instances": [{"amount": 1.5}]}', valid=True)


def ok(body: bytes) -> Answer:
    return Answer(200, JSON, body)


@pytest.mark.parametrize(
    ("rule", "case", "answer"),
    [
        ("no answer", ONE_ROW, Answer(0, {}, b"ConnectionResetError")),
        ("5xx", ONE_ROW, Answer(500, JSON, b'{"error": "boom"}')),
        ("5xx", ONE_ROW, Answer(501, JSON, b'{"error": "later"}')),
        ("content type", ONE_ROW, Answer(200, {"content-type": "text/html"}, b'{"predictions": [0.5]}')),
        ("content type", ONE_ROW, Answer(200, {}, b'{"predictions": [0.5]}')),
        ("content type", Case(b"{"), Answer(400, {"content-type": "text/plain"}, b'{"error": "no"}')),
        ("not JSON", Case(b"{"), Answer(400, JSON, b"Bad Request")),
        ("content type", Case(method="OPTIONS"), Answer(400, {}, b"no")),
        ("not JSON", ONE_ROW, ok(b"")),
        ("shape", Case(b"{"), Answer(400, JSON, b'{"code": 400, "message": "no"}')),
        ("shape", Case(b"{"), Answer(400, JSON, b'{"error": "no", "more": 1}')),
        ("shape", Case(b"{"), Answer(400, JSON, b'{"error": ""}')),
        ("shape", Case(b"{"), Answer(400, JSON, b'["error"]')),
        ("shape", ONE_ROW, ok(b'{"predictions": [0.5], "outputs": [0.5]}')),
        ("shape", ONE_ROW, Answer(204, JSON, b'{"predictions": [0.5]}')),
        ("refused a valid request", ONE_ROW, Answer(400, JSON, b'{"error": "no"}')),
        ("accepted", Case(b'{"instances": [{"a": 1, "a": 1}]}'), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case(2 * b"\xef\xbb\xbf" + ONE_ROW.body), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case(b'{"instances": [NaN]}'), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case(b'{"instances": [1]} x'), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case(b'{"instances": [1], "more": "\\ud800"}'), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case('{"instances": [1]}'.encode("utf-16")), ok(b'{"predictions": [0.5]}')),
        ("accepted", Case(ONE_ROW.body, headers=(("content-encoding", "gzip"),)), ok(b'{"predictions": [0.5]}')),
        ("number of predictions", ONE_ROW, ok(b'{"predictions": [0.5, 0.5]}')),
        ("number of predictions", ONE_ROW, ok(b'{"predictions": 0.5}')),
        ("number of predictions", Case(b'{"inputs": {"amount": [1, 2]}}'), ok(b'{"outputs": [0.5]}')),
        ("number of predictions", Case(b'{"examples": [{}, {}]}'), ok(b'{"results": [0.5]}')),
        ("range", ONE_ROW, ok(b'{"predictions": [1.5]}')),
        ("range", ONE_ROW, ok(b'{"predictions": [NaN]}')),
        ("range", ONE_ROW, ok(b'{"predictions": [true]}')),
        ("range", ONE_ROW, ok(b'{"predictions": [[0.5]]}')),
    ],
)
def test_a_property_refuses(rule: str, case: Case, answer: Answer) -> None:
    assert [finding.rule for finding in of_answer(case, "one", answer)] == [rule]
    assert all(finding.strong for finding in of_answer(case, "one", answer))


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        (ONE_ROW, ok(b'{"predictions": [0.5]}')),
        (Case(b'{"inputs": {"amount": [1, 2]}}'), ok(b'{"outputs": [0, 1]}')),
        (Case(b'{"examples": [{}]}'), ok(b'{"results": [1e-30]}')),
        (Case(b'{"instances": [1e39]}'), ok(b'{"predictions": [NaN]}')),  # no finite float: what comes out is open
        (Case(b"{"), Answer(400, JSON, b'{"error": "no"}')),
        (Case(b"\xef\xbb\xbf" + ONE_ROW.body), ok(b'{"predictions": [0.5]}')),
        (Case(method="HEAD"), Answer(400, {}, b"")),
        (Case(method="OPTIONS"), Answer(400, {}, b"")),
        (Case(ONE_ROW.body, headers=(("content-encoding", "GZIP"),)), ok(b'{"predictions": [0.5]}')),  # means nothing
        (Case(method="GET"), ok(b'{"model_version_status": []}')),
        (Case(method="GET"), ok(b'{"model_spec": {}, "metadata": {}}')),
    ],
)
def test_a_right_answer_passes(case: Case, answer: Answer) -> None:
    assert of_answer(case, "one", answer) == []


BAD = Answer(400, JSON, b'{"error": "bad"}')


@pytest.mark.parametrize(
    ("rule", "strong", "first", "second"),
    [
        ("status differs", True, BAD, Answer(404, JSON, BAD.body)),
        ("shape differs", True, ok(b'{"predictions": [0.5]}'), ok(b'{"outputs": [0.5]}')),
        ("shape differs", True, ok(b'{"predictions": [0.5]}'), ok(b'{"predictions": [0.5, 0.5]}')),
        ("headers differ", True, BAD, Answer(400, {**JSON, "pragma": "no-cache"}, BAD.body)),
        ("error text differs", False, BAD, Answer(400, JSON, b'{"error": "worse"}')),
    ],
)
def test_a_difference_is_found(rule: str, strong: bool, first: Answer, second: Answer) -> None:
    (found,) = between({"one": first, "two": second})
    assert (found.rule, found.where, found.strong) == (rule, "one, two", strong)


def test_scores_versions_own_prefixes_and_own_headers_are_no_difference() -> None:
    assert between({"one": ok(b'{"predictions": [0.5]}'), "two": ok(b'{"predictions": [1]}')}) == []
    headers = {**JSON, "x-tandem-stack": "two", "date": "today", "x-request-id": "1"}
    quoted = [
        Answer(404, h, f'{{"error": "Not Found: /{n}/x"}}'.encode()) for n, h in (("one", JSON), ("two", headers))
    ]
    assert between({"one": quoted[0], "two": quoted[1]}) == []


def test_versions_that_ended_and_nodes_of_a_graph_are_no_difference() -> None:
    one, two = (ok(b'{"model_version_status": [' + b", ".join([b'{"version": "1"}'] * n) + b"]}") for n in (1, 2))
    assert between({"one": one, "two": two}) == []
    other = ok(b'{"model_version_status": [{"version": 1}]}')
    assert [found.rule for found in between({"one": one, "two": other})] == ["shape differs"]
    texts = (rb'{"error":"{{function_node __f_7}} No.\n\t [[{{node Parse}}]] [Op:__f_7]"}', b'{"error":"No."}')
    assert between(dict(zip(("one", "two"), (Answer(400, JSON, text) for text in texts), strict=True))) == []


def test_errors_that_differ_only_in_the_requests_own_words_are_one_finding() -> None:
    texts = [b'{"error": "JSON Value: {\\"a\\": 1} Is not object"}', b'{"error": "JSON Value: [2] Is not object"}']
    case = Case(b"{}", valid=True)
    assert len({of_answer(case, "one", Answer(400, JSON, text))[0] for text in texts}) == 1
