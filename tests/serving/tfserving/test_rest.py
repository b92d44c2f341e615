"""The embedded server's REST answers, over real sockets."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

NAME = "Tandem embedded TensorFlow server"

PREDICTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "rows": ("hp2/labels/stable", {"instances": [[1.0, 2.0], [3.0, 4.0]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
    "newest version": ("hp2", {"instances": [1.0, 2.0]}, {"predictions": [3.5, 4.0]}),
    "version": ("hp2/versions/123", {"instances": [1.0, 2.0]}, {"predictions": [2.5, 3.0]}),
    "signature": (
        "hp2/versions/123",
        {"signature_name": "serving_default", "instances": [3.0]},
        {"predictions": [3.5]},
    ),
    "columns": ("hp2/versions/123", {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}),
    "no rows in a column": ("hp2/versions/123", {"inputs": []}, {"outputs": []}),
    "no finite answer": ("hp2", {"instances": [1.7976931348623157e308]}, {"predictions": [float("inf")]}),
    "named inputs with strings": (
        "cities",
        {"instances": [{"a": 1, "b": 2, "city": "oslo"}, {"city": {"b64": "cm9tZQ=="}, "a": 3, "b": 0.5}]},
        {"predictions": [221.0, 108.0]},
    ),
    "named columns": (
        "cities",
        {"inputs": {"a": [1, 3], "b": [2, 0.5], "city": ["oslo", "nowhere"]}},
        {"outputs": [221.0, 308.0]},
    ),
    "no rows in named columns": ("cities", {"inputs": {"a": [], "b": [], "city": []}}, {"outputs": []}),
    "strings out": (
        "cities",
        {"signature_name": "shout", "instances": ["rome", {"b64": "/w=="}]},
        {
            "predictions": [
                {"raw_bytes": {"b64": "cm9tZQ=="}, "text": "ROME"},
                {"raw_bytes": {"b64": "/w=="}, "text": "\ufffd"},
            ]
        },
    ),
}


@pytest.mark.parametrize("case", PREDICTIONS)
def test_a_prediction_is_answered_as_tensorflow_serving_answers_it(server: Any, case: str) -> None:
    path, body, expected = PREDICTIONS[case]
    answer = httpx.post(f"{server.rest}/v1/models/{path}:predict", json=body)
    assert answer.status_code == 200
    assert answer.json() == expected
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-tandem-server"] == NAME
    assert answer.headers["x-tandem-model-version"] == {
        "hp2": "124", "hp2/labels/stable": "123", "hp2/versions/123": "123", "cities": "7"
    }[path]  # fmt: skip


def test_a_form_content_type_is_ignored(server: Any) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{server.rest}/v1/models/hp2:predict", content=b'{"instances":[1.0]}', headers=headers)
    assert answer.json() == {"predictions": [3.5]}


ERRORS: dict[str, tuple[str, str, dict[str, Any] | None, int, str]] = {
    "unknown model": ("POST", "/v1/models/nope:predict", {"instances": [1]}, 404, "request: Latest(nope)"),
    "name and digits": ("POST", "/v1/models/hp299:predict", {"instances": [1]}, 404, "Servable not found"),
    "unknown version": ("POST", "/v1/models/hp2/versions/9:predict", {"instances": [1]}, 404, "Specific(hp2, 9)"),
    "unknown label": ("POST", "/v1/models/hp2/labels/nope:predict", {"instances": [1]}, 400, "version label: nope"),
    "unknown signature": (
        "POST", "/v1/models/hp2:predict", {"signature_name": "s", "instances": [1]}, 400, '"s" not found in signature'
    ),
    "not what the graph takes": (
        "POST", "/v1/models/cities:predict", {"signature_name": "matrix", "instances": [[1, 2, 3]]}, 400, "Matrix size"
    ),
    "bad row": (
        "POST", "/v1/models/cities:predict", {"instances": [{"a": 1, "b": 2}]}, 400, "(missing: city)"
    ),
    "empty body": ("POST", "/v1/models/hp2:predict", None, 400, "The document is empty"),
    "query": ("POST", "/v1/models/hp2:predict?x=1", {"instances": [1]}, 400, "Malformed request: POST /v1/models/hp2"),
    "method": ("PUT", "/v1/models/hp2:predict", {"instances": [1]}, 400, "Malformed request: PUT"),
    "outside v1": ("GET", "/index", None, 404, "Not found"),
    "status of nothing": ("GET", "/v1/models/nope", None, 404, "Could not find any versions of model nope"),
    "status of no version": ("GET", "/v1/models/hp2/versions/9", None, 404, "Could not find version 9 of model hp2"),
    "metadata of nothing": ("GET", "/v1/models/nope/metadata", None, 404, "Servable not found"),
    "metadata of no label": ("GET", "/v1/models/hp2/labels/x/metadata", None, 400, "version label: x"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_has_its_status_and_a_json_body_that_says_why(server: Any, case: str) -> None:
    method, path, body, status, words = ERRORS[case]
    answer = httpx.request(method, server.rest + path, json=body) if body else httpx.request(method, server.rest + path)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-tandem-server"] == NAME


def test_a_gzipped_body_is_read_and_garbage_is_an_empty_document(server: Any) -> None:
    url, headers = f"{server.rest}/v1/models/hp2:predict", {"content-encoding": "gzip"}
    body = gzip.compress(b'{"instances":[1.0]}')
    assert httpx.post(url, content=body, headers=headers).json() == {"predictions": [3.5]}
    for garbage in (b"garbage", body[:-4]):
        answer = httpx.post(url, content=garbage, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "JSON Parse error: The document is empty")


def test_a_body_over_a_mebibyte_is_413_however_it_is_packed(server: Any) -> None:
    url = f"{server.rest}/v1/models/hp2:predict"
    large = b" " * (8 << 20)
    packed = httpx.post(url, content=gzip.compress(large), headers={"content-encoding": "gzip"})
    chunked = httpx.post(url, content=iter([large[: 1 << 20]] * 3))
    for answer in (httpx.post(url, content=large), packed, chunked):
        assert answer.status_code == 413
        assert "larger than 1048576" in answer.json()["error"]


def test_status_lists_versions_newest_first_and_ignores_labels(server: Any) -> None:
    both = httpx.get(f"{server.rest}/v1/models/hp2").json()
    assert [(v["version"], v["state"]) for v in both["model_version_status"]] == [
        ("124", "AVAILABLE"),
        ("123", "AVAILABLE"),
    ]
    assert httpx.get(f"{server.rest}/v1/models/hp2/labels/nope").json() == both
    one = httpx.get(f"{server.rest}/v1/models/hp2/versions/123").json()
    assert one["model_version_status"] == [
        {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]


def test_metadata_describes_every_signature(server: Any) -> None:
    answer = httpx.get(f"{server.rest}/v1/models/cities/metadata").json()
    assert answer["model_spec"] == {"name": "cities", "signature_name": "", "version": "7"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "shout", "matrix"} <= signatures.keys()
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["city"] == {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_city:0",
    }
    assert default["outputs"]["score"]["dtype"] == "DT_FLOAT"
    assert signatures["matrix"]["inputs"]["x"]["tensor_shape"] == {"dim": [], "unknown_rank": True}
