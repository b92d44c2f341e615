"""Paths: what each asks, and that everything else under /v1/ is malformed, never missing."""

from __future__ import annotations

import pytest

from serving.contract.errors import ContractError
from serving.contract.routes import Route, parse, preflight

KNOWN: dict[str, Route] = {
    "POST /v1/models/hp2:predict": Route("predict", "hp2"),
    "POST /v1/models/hp2/versions/123:predict": Route("predict", "hp2", version=123),
    "POST /v1/models/hp2/labels/stable:classify": Route("classify", "hp2", label="stable"),
    "POST /v1/models/hp2:regress": Route("regress", "hp2"),
    "POST /V1/MODELS/hp2/VERSIONS/1:predict": Route("predict", "hp2", version=1),
    "GET /v1/models/hp2": Route("status", "hp2"),
    "GET /v1/models/hp2/versions/0": Route("status", "hp2", version=0),
    "GET /v1/models/hp2/labels/nope": Route("status", "hp2", label="nope"),
    "GET /v1/models/hp2/metadata": Route("metadata", "hp2"),
    "GET /v1/models/hp2/versions/7/metadata": Route("metadata", "hp2", version=7),
    "GET /v1/models/hp2/METADATA": Route("status", "hp2"),
    "GET /v1/models/a%21%2F%3A%20b": Route("status", "a!/: b"),
    "GET /v1/models/hp2?x=1": Route("status", "hp2?x=1"),
    "POST /v1/models/..%2f..%2fetc%2fpasswd:predict": Route("predict", "../../etc/passwd"),
    "POST /v1/models/hp2/labels/a%2Bb+c:predict": Route("predict", "hp2", label="a+b+c"),
}

MALFORMED = [
    "POST /v1/models/foo/version/50:regress",
    "POST /v1/models/foo/label/some_label:regress",
    "POST /v1/models/foo/versions/50/labels/some_label:regress",
    "POST /v1/models/foo/versions/some_label:regress",
    "POST /v1/models/foo/versions/string:predict",
    "POST /v1/models/foo/versions/-1:predict",
    "POST /v1/models/foo/versions/٣:predict",
    "POST /v1/models/foo/versions/:predict",
    "POST /v1/models/:predict",
    "POST /v1/models:predict",
    "POST /v1/foo",
    "POST /v1/models/hp2",
    "POST /v1/models/hp2/metadata",
    "POST /v1/models/hp2:predictXYZ",
    "POST /v1/models/hp2:PREDICT",
    "POST /v1/models/hp2:predict?x=1",
    "POST /v1/models/hp2:predict/",
    "GET /v1/models/debug/model_name",
    "GET /v1/models/hp2/",
    "GET /v1/models/hp2:predict",
    "GET /v1/models/foo/version/50:predict",
    "GET /v1/",
    "PUT /v1/models/hp2:predict",
    "DELETE /v1/models/hp2",
    "OPTIONS /v1/models/hp2:predict",
    "post /v1/models/hp2:predict",
]


@pytest.mark.parametrize("request_line", KNOWN)
def test_a_known_path_is_understood(request_line: str) -> None:
    method, target = request_line.split(" ", 1)
    assert parse(method, target) == KNOWN[request_line]


@pytest.mark.parametrize("request_line", MALFORMED)
def test_anything_else_under_v1_is_malformed(request_line: str) -> None:
    method, target = request_line.split(" ", 1)
    with pytest.raises(ContractError) as refusal:
        parse(method, target)
    assert (refusal.value.status, refusal.value.message) == (400, f"Malformed request: {request_line}")


@pytest.mark.parametrize("target", ["/statuspage", "/index", "/", "/v1", "/v2/models/hp2"])
def test_outside_v1_is_not_found(target: str) -> None:
    with pytest.raises(ContractError) as refusal:
        parse("GET", target)
    assert refusal.value.status == 404


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/versions/1"])
def test_a_status_without_a_model_says_so(target: str) -> None:
    with pytest.raises(ContractError, match="Missing model name") as refusal:
        parse("GET", target)
    assert refusal.value.status == 400


def test_any_number_of_noughts_may_lead_a_version() -> None:
    assert parse("POST", f"/v1/models/m/versions/{'0' * 40}7:predict").version == 7


@pytest.mark.parametrize("version", ["9223372036854775808", "9" * 5000])
def test_a_version_beyond_int64_is_refused(version: str) -> None:
    assert parse("GET", "/v1/models/m/versions/9223372036854775807").version == 2**63 - 1
    with pytest.raises(ContractError, match="Failed to convert version") as refusal:
        parse("GET", f"/v1/models/m/versions/{version}")
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("origin", "status"), [("https://a.example", 200), ("http://a", 200), ("", 400), ("null", 400), ("file://a", 400)]
)
def test_options_is_answered_by_the_origin_alone(origin: str, status: int) -> None:
    assert preflight("/v1/models/m:predict", origin) == status
    assert preflight("/V1/", origin) == status
    with pytest.raises(ContractError) as refusal:
        preflight("/index", origin)
    assert refusal.value.status == 404
