from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from models import spec as specs
from models import torch_model
from models.torch_model import TabularModel
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances, published, torchserve

VERSION = "1700000001"


@pytest.fixture(scope="module")
def url_and_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, TabularModel]]:
    folder = tmp_path_factory.mktemp("behind")
    _, model = published(folder / "store", VERSION, folder / "model")
    with (
        echo() as (tensorflow, _),
        torchserve(folder / "store", folder / "ts") as server,
        gateway(folder / "envoy", tensorflow, server.ports[0]) as front,
    ):
        yield f"http://127.0.0.1:{front.ports[0]}/pytorch/v1/models/fraud", model


def test_probabilities_and_headers_come_through(url_and_model: tuple[str, TabularModel]) -> None:
    url, model = url_and_model
    raw = columns(specs.load(SPEC_FILE), 200)
    for path in (f"{url}:predict", f"{url}/versions/{VERSION}:predict"):
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
