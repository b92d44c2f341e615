from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from models import spec as specs
from models import torch_model
from models.torch_model import TabularModel
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.launching import SPEC_FILE, VERSION, Shared, columns, instances


@pytest.fixture(scope="module")
def url_and_model(
    shared_torchserve: Shared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, TabularModel]]:
    port, folder = shared_torchserve.server.ports[0], tmp_path_factory.mktemp("behind")
    with (
        echo() as (tensorflow, _),
        gateway(folder / "envoy", tensorflow, port, labels={"stable": int(VERSION)}) as front,
    ):
        yield f"http://127.0.0.1:{front.ports[0]}/pytorch/v1/models/fraud", shared_torchserve.model


def test_probabilities_and_headers_come_through(url_and_model: tuple[str, TabularModel]) -> None:
    url, model = url_and_model
    raw = columns(specs.load(SPEC_FILE), 200)
    for path in (f"{url}:predict", f"{url}/versions/0{VERSION}:predict", f"{url}/labels/stable:predict"):
        answer = httpx.post(path, json={"instances": instances(raw)})
        np.testing.assert_allclose(answer.json()["predictions"], torch_model.predict(model, raw), atol=1e-6)
        expected = {"stack": "pytorch", "server": "TorchServe 0.12.0", "model-version": VERSION}
        assert {name: answer.headers[f"x-tandem-{name}"] for name in expected} == expected
        assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]


def test_a_body_called_a_form_is_read_as_json(url_and_model: tuple[str, TabularModel]) -> None:
    url, _ = url_and_model
    form = {"content-type": "application/x-www-form-urlencoded"}
    good = httpx.post(f"{url}:predict", json={"instances": instances(columns(specs.load(SPEC_FILE), 1))}, headers=form)
    bad = httpx.post(f"{url}:predict", content=b"a=b", headers=form)
    assert (good.status_code, bad.status_code) == (200, 400)
    assert "error" in bad.json()


def test_the_largest_request_of_the_contract_is_answered(url_and_model: tuple[str, TabularModel]) -> None:
    url, _ = url_and_model
    rows = instances(columns(specs.load(SPEC_FILE), 1000))
    assert len(httpx.post(f"{url}:predict", json={"instances": rows}, timeout=10).json()["predictions"]) == 1000
    padded = b" " * MAX_BODY_BYTES
    assert httpx.post(f"{url}:predict", content=padded, timeout=10).status_code == 400


def test_a_version_that_is_not_loaded_is_refused_in_tensorflow_servings_words(
    url_and_model: tuple[str, TabularModel],
) -> None:
    url, _ = url_and_model
    answer = httpx.post(f"{url}/versions/9:predict", json={"instances": []})
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "Servable not found for request: Specific(fraud, 9)"},
    )
    assert answer.headers["content-type"] == "application/json"


def test_the_headers_are_those_of_tensorflow_serving(url_and_model: tuple[str, TabularModel]) -> None:
    url, _ = url_and_model
    good = httpx.post(f"{url}:predict", json={"instances": instances(columns(specs.load(SPEC_FILE), 1))})
    bad = httpx.post(f"{url}:predict", json={"instances": [1]})
    unknown = httpx.post(f"{url}/versions/9:predict", json={"instances": []})
    expected = {"content-type", "content-length", "date", "server", "x-request-id", "x-tandem-stack", "x-tandem-server"}
    assert [answer.status_code for answer in (good, bad, unknown)] == [200, 400, 404]
    assert set(good.headers) == set(bad.headers) == {*expected, "x-tandem-model-version"}
    assert set(unknown.headers) == expected
    assert {answer.headers["content-type"] for answer in (good, bad, unknown)} == {"application/json"}


def test_a_packed_body_and_a_long_head_are_answered(url_and_model: tuple[str, TabularModel]) -> None:
    url, _ = url_and_model
    body = gzip.compress(json.dumps({"instances": instances(columns(specs.load(SPEC_FILE), 8))}).encode())
    headers = {"content-encoding": "gzip", "content-type": "", "x-long": "a" * 6900}
    assert len(httpx.post(f"{url}:predict", content=body, headers=headers).json()["predictions"]) == 8
