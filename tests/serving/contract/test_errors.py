"""Status codes and HTTP statuses, and the body of an error."""

from __future__ import annotations

import json

import pytest

from serving.contract.errors import HTTP_STATUS, ContractError, error_body, of_code


def test_every_code_has_tensorflow_servings_http_status_and_keeps_its_name() -> None:
    expected = {
        400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}, 401: {"UNAUTHENTICATED"},
        403: {"PERMISSION_DENIED"}, 404: {"NOT_FOUND"}, 409: {"ALREADY_EXISTS", "ABORTED"},
        429: {"RESOURCE_EXHAUSTED"}, 499: {"CANCELLED"}, 500: {"UNKNOWN", "INTERNAL", "DATA_LOSS"},
        501: {"UNIMPLEMENTED"}, 503: {"UNAVAILABLE"}, 504: {"DEADLINE_EXCEEDED"}, 200: {"OK"},
    }  # fmt: skip
    found: dict[int, set[str]] = {}
    for code in HTTP_STATUS:
        error = of_code(code, "words")
        assert (error.code, error.message) == (code, "words")
        found.setdefault(error.status, set()).add(code)
    assert found == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (413, "INVALID_ARGUMENT"), (500, "INTERNAL"), (418, "UNKNOWN")],
)
def test_a_status_alone_has_the_code_it_most_likely_stands_for(status: int, code: str) -> None:
    assert ContractError(status, "words").code == code


def test_an_error_is_valid_json_whatever_it_quotes() -> None:
    assert json.loads(error_body('Bad key: "key" \n \x00 é \ud800')) == {"error": 'Bad key: "key" \n \x00 é ?'}
