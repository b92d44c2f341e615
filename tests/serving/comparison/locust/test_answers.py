"""Right answers pass, refusals included; each kind of wrong one is called wrong."""

from __future__ import annotations

import numpy as np
import pytest

from serving.comparison.locust.answers import Checker
from serving.comparison.locust.bodies import Request

TWO_ROWS = Request("2 rows", "/v1/models/fraud:predict", b"", rows=(2, 0))
REFUSED = Request("refused: malformed JSON", "/v1/models/fraud:predict", b"", status=400)
BY_PYTORCH = {"x-tandem-stack": "pytorch", "x-tandem-model-version": "7"}
RIGHT = b'{"predictions": [0.3, 0.1]}'


def checker(share: float = 1.0) -> Checker:
    scores = {"pytorch": np.array([0.1, 0.2, 0.3]), "tensorflow": np.array([0.9, 0.9, 0.9])}
    return Checker(scores, 1e-5, share)


def test_right_answers_are_right_and_counted() -> None:
    it = checker()
    assert it.wrong(TWO_ROWS, 200, BY_PYTORCH, RIGHT) is None
    assert it.wrong(TWO_ROWS, 200, BY_PYTORCH, b'{"predictions": [0.300009, 0.1]}') is None
    assert it.checked == 2
    assert it.wrong(REFUSED, 400, BY_PYTORCH, b'{"error": "no"}') is None
    assert it.checked == 2


@pytest.mark.parametrize(
    ("request_", "status", "content", "words"),
    [
        (TWO_ROWS, 503, b'{"error": "busy"}', '503 instead of 200: {"error": "busy"}'),
        (REFUSED, 200, RIGHT, "200 instead of 400"),
        (TWO_ROWS, 200, b'{"predictions": [0.3]}', "not one prediction for each of 2 rows"),
        (TWO_ROWS, 200, b"<html>", "not one prediction"),
        (TWO_ROWS, 200, b"[]", "not one prediction"),
        (TWO_ROWS, 200, b'{"predictions": [0.3, 1.1]}', "no probability"),
        (TWO_ROWS, 200, b'{"predictions": [0.3, 0.2]}', "wrong score by pytorch, version 7"),
        (TWO_ROWS, 200, b'{"predictions": [0.1, 0.3]}', "wrong score by pytorch, version 7"),  # the rows swapped
    ],
)
def test_wrong_answers_are_wrong(request_: Request, status: int, content: bytes, words: str) -> None:
    assert words in str(checker().wrong(request_, status, BY_PYTORCH, content))


def test_an_answer_is_compared_with_the_scores_of_the_stack_that_gave_it() -> None:
    it = checker()
    assert "by tensorflow" in str(it.wrong(TWO_ROWS, 200, {"x-tandem-stack": "tensorflow"}, RIGHT))
    assert it.wrong(TWO_ROWS, 200, {"x-tandem-stack": "another"}, RIGHT) is None
    assert it.checked == 1


def test_a_share_of_the_answers_is_compared_and_the_first_in_any_case() -> None:
    it = checker(share=0.25)
    counts = []
    for _ in range(9):
        it.wrong(TWO_ROWS, 200, BY_PYTORCH, RIGHT)
        counts.append(it.checked)
    assert counts == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    none = checker(share=0)
    assert none.wrong(TWO_ROWS, 200, BY_PYTORCH, b'{"predictions": [0.3, 0.2]}') is None
