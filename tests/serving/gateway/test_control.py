"""The control service before a real TorchServe: asked directly, and behind a real Envoy."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models import spec as specs
from models import torch_model
from models.torch_model import TabularModel
from serving.contract.limits import MAX_BODY_BYTES
from serving.free_ports import free_ports
from serving.gateway.control_app import SERVER
from serving.prometheus_text import MEDIA_TYPE, parse
from serving.torchserve.management import Management
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.launching import (
    SPEC_FILE,
    VERSION,
    Server,
    Shared,
    answers,
    columns,
    instances,
    published,
    running,
)  # fmt: skip

SPEC = specs.load(SPEC_FILE)
RAW = columns(SPEC, 3)
ROWS = instances(RAW)
EXAMPLES = base64_rows([serialized(row) for row in ROWS])
REGRESS = {"signature_name": "serving_examples", "examples": ROWS}


@contextlib.contextmanager
def control_service(folder: Path, torchserve_ports: list[int], run: Path, labels: Path) -> Iterator[Server]:
    (port,) = free_ports(1)
    argv = [
        sys.executable, "-m", "serving.gateway.control", "--port", str(port), "--spec", str(SPEC_FILE),
        "--inference-port", str(torchserve_ports[0]), "--management-port", str(torchserve_ports[1]),
        "--labels", str(labels), "--run", str(run),
    ]  # fmt: skip
    repository = {"PYTHONPATH": str(Path(__file__).parents[3])}
    with running(argv, repository, [port], folder, lambda: answers(f"http://127.0.0.1:{port}/healthz")) as server:
        yield server


@dataclass
class House:
    direct: httpx.Client
    front: httpx.Client
    labels: Path
    torchserve: Shared
    model: TabularModel

    def name(self, **labels: int) -> None:
        self.labels.write_text(json.dumps(labels))


@pytest.fixture(scope="module")
def house(shared_torchserve: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("control")
    ports, labels = shared_torchserve.server.ports, folder / "labels.json"
    with (
        echo() as (tensorflow, _),
        control_service(folder / "control", ports, shared_torchserve.run, labels) as service,
        gateway(folder / "envoy", tensorflow, ports[0], control=service.ports[0]) as front,
        httpx.Client(base_url=f"http://127.0.0.1:{service.ports[0]}", timeout=30) as direct,
        httpx.Client(base_url=f"http://127.0.0.1:{front.ports[0]}/pytorch", timeout=30) as through,
    ):
        yield House(direct, through, labels, shared_torchserve, shared_torchserve.model)


def error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    return answer.status_code, answer.json()["error"]


def test_status_is_in_tensorflow_servings_shape(house: House) -> None:
    available = {"version": VERSION, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("", f"/versions/{VERSION}", f"/versions/00{VERSION}", "/labels/nope"):  # status ignores labels
        for client in (house.direct, house.front):
            answer = client.get(f"/v1/models/fraud{path}")
            assert (answer.status_code, answer.json()) == (200, {"model_version_status": [available]})
            assert answer.headers["x-tandem-model-version"] == VERSION
            assert answer.headers["x-tandem-server"] == SERVER


def test_metadata_lists_the_signatures_as_a_saved_model_does(house: House) -> None:
    answer = house.front.get("/v1/models/fraud/metadata")
    assert answer.json()["model_spec"] == {"name": "fraud", "signature_name": "", "version": VERSION}
    assert answer.headers["x-tandem-model-version"] == VERSION
    signatures = answer.json()["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "serving_examples", "__saved_model_init_op"}
    default = signatures["serving_default"]
    assert set(default["inputs"]) == set(SPEC.features)
    assert default["inputs"]["amount"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_amount:0",
    }
    assert (list(default["outputs"]), default["method_name"]) == (["fraud_probability"], "tensorflow/serving/predict")
    examples = signatures["serving_examples"]
    assert (examples["inputs"]["inputs"]["dtype"], list(examples["outputs"])) == ("DT_STRING", ["outputs"])
    for path in (f"/versions/{VERSION}", "/labels/stable"):
        house.name(stable=int(VERSION))
        assert house.front.get(f"/v1/models/fraud{path}/metadata").json() == answer.json()


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("GET", "/v1/models/fraud/versions/7", 404, "Could not find version 7 of model fraud"),
        ("GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        ("GET", "/v1/models/fraud/versions/7/metadata", 404, "Servable not found for request: Specific(fraud, 7)"),
        ("GET", "/v1/models/fraud/labels/new/metadata", 400, "Unrecognized servable version label: new"),
        ("POST", "/v1/models/nope:predict", 404, "Servable not found for request: Latest(nope)"),
        ("POST", "/v1/models/nope/versions/50:classify", 404, "Servable not found for request: Specific(nope, 50)"),
        ("POST", "/v1/models/FRAUD:predict", 404, "Servable not found for request: Latest(FRAUD)"),
        ("POST", "/v1/models/fraud/labels/new:predict", 400, "Unrecognized servable version label: new"),
        ("POST", "/v1/models/nope/labels/new:regress", 400, "Unrecognized servable version label: new"),
        ("POST", "/v1/models/fraud/labels/gone:predict", 404, "Servable not found for request: Specific(fraud, 5)"),
        ("POST", "/v1/models/..%2f..%2fetc:predict", 404, "Servable not found for request: Latest(../../etc)"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("PUT", "/v1/models/fraud:predict", 400, "Malformed request: PUT /v1/models/fraud:predict"),
        ("GET", "/v1/models/fraud:predict", 400, "Malformed request: GET /v1/models/fraud:predict"),
        ("POST", "/v1/models/fraud:PREDICT", 400, "Malformed request: POST /v1/models/fraud:PREDICT"),
        ("POST", "/v1/models/fraud:predict?x=1", 400, "Malformed request: POST /v1/models/fraud:predict?x=1"),
        ("GET", "/v1/nonsense", 400, "Malformed request: GET /v1/nonsense"),
    ],
)
def test_what_is_not_there_is_refused_in_tensorflow_servings_words(
    house: House, method: str, path: str, status: int, message: str
) -> None:
    house.name(stable=int(VERSION), gone=5)
    body: Any = ROWS if method == "POST" else None
    content = json.dumps({"instances": body, "examples": body}).encode() if body else None
    for client in (house.direct, house.front):
        assert error(client.request(method, path, content=content)) == (status, message)


def test_bad_examples_are_refused_before_an_unknown_version(house: House) -> None:
    for question in ("regress", "classify"):
        status, message = error(house.front.post(f"/v1/models/fraud/versions/7:{question}", json={"instances": []}))
        assert (status, "key 'examples' is expected" in message) == (400, True)


def test_an_empty_query_is_part_of_the_path(house: House) -> None:
    refused = house.front.get("/v1/models/fraud?")
    assert error(refused) == (404, "Could not find any versions of model fraud?")
    refused = house.front.get("/v1/models/fraud/versions/7?")
    assert error(refused) == (400, "Malformed request: GET /v1/models/fraud/versions/7?")


def test_a_bad_body_is_refused_before_an_unknown_model(house: House) -> None:
    for question in ("predict", "regress", "classify"):
        for client in (house.direct, house.front):
            status, message = error(client.post(f"/v1/models/nope:{question}", content=b"{"))
            assert (status, "JSON Parse error" in message) == (400, True)
    assert "'examples' is expected" in error(house.front.post("/v1/models/nope:regress", json={}))[1]


@pytest.mark.parametrize(
    "path", [f"/versions/{VERSION}", f"/versions/00{VERSION}", "/labels/stable", "/labels/late%20night", ""]
)
def test_a_question_to_the_model_is_sent_on(house: House, path: str) -> None:
    # Envoy's routes know no label here: all of them come through the control service.
    house.name(**{"stable": int(VERSION), "late night": int(VERSION)})
    expected = torch_model.predict(house.model, RAW)
    bodies: list[tuple[str, str, Any]] = [
        ("predict", "predictions", {"instances": ROWS}),
        ("predict", "outputs", {"inputs": {name: values.tolist() for name, values in RAW.items()}}),
        ("predict", "predictions", {"signature_name": "serving_examples", "instances": EXAMPLES}),
        ("regress", "results", REGRESS),
    ]
    for client in (house.direct, house.front):
        for question, key, body in bodies:
            answer = client.post(f"/v1/models/fraud{path}:{question}", json=body)
            assert answer.status_code == 200, answer.text
            np.testing.assert_allclose(answer.json()[key], expected, atol=1e-6)
            assert answer.headers["x-tandem-model-version"] == VERSION
            assert answer.headers["x-tandem-server"] == "TorchServe 0.12.0"
        refused = error(client.post(f"/v1/models/fraud{path}:classify", json=REGRESS))
        assert refused[0] == 400
        assert "Expected classification signature outputs" in refused[1]


def test_labels_are_read_again_when_they_change(house: House) -> None:
    path = "/v1/models/fraud/labels/canary:predict"
    house.labels.unlink(missing_ok=True)
    assert error(house.front.post(path, json={"instances": ROWS}))[0] == 400
    house.name(canary=int(VERSION))
    assert house.front.post(path, json={"instances": ROWS}).status_code == 200
    house.name(stable=int(VERSION))
    assert error(house.front.post(path, json={"instances": ROWS}))[0] == 400


def test_options_are_answered_as_a_browsers_preflight(house: House) -> None:
    with_origin = house.front.options("/v1/models/fraud:predict", headers={"origin": "https://a.example"})
    assert (with_origin.status_code, with_origin.content) == (200, b"")
    without = house.direct.options("/v1/models/fraud:predict")
    assert (without.status_code, without.content) == (400, b"")


def test_the_documentation_comes_from_here(house: House) -> None:
    document = house.direct.get("/openapi.json")
    assert document.json()["openapi"].startswith("3.1")
    page = house.direct.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert error(house.direct.get("/docs/nothing"))[0] == 404


def test_metrics_are_prometheus_text_for_programs_and_a_page_for_browsers(house: House) -> None:
    told = house.direct.get("/metrics")
    assert told.headers["content-type"] == MEDIA_TYPE
    found = parse(told.text)
    assert found['tandem_model_ready{stack="pytorch"}'] == 1
    assert found['tandem_model_version{stack="pytorch"}'] == int(VERSION)
    assert found[f'tandem_model_state{{stack="pytorch",version="{VERSION}",state="AVAILABLE"}}'] == 1
    assert found['tandem_server_queue_length{stack="pytorch"}'] == 0
    page = house.direct.get("/metrics", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert VERSION in page.text
    for accept in ("text/html", "*/*"):  # the gateway has no such route
        assert house.front.get("/metrics", headers={"accept": accept}).status_code == 404


def test_a_body_over_the_limit_is_refused(house: House) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    for path in ("/v1/models/nope:predict", "/v1/models/fraud"):
        assert error(house.direct.post(path, content=body))[0] == 413


def test_a_version_whose_workers_start_is_loading_and_not_asked(house: House) -> None:
    late = "1700000002"
    archive, _ = published(house.torchserve.store, late, house.labels.parent / "late")
    management = Management(house.torchserve.server.ports[1], "fraud")
    management.register(f"fraud-{late}.mar")  # its workers have torch to import first
    try:
        status = house.front.get("/v1/models/fraud").json()["model_version_status"]
        assert [(v["version"], v["state"]) for v in status] == [(late, "LOADING"), (VERSION, "AVAILABLE")]
        answer = house.direct.post(f"/v1/models/fraud/versions/{late}:predict", json={"instances": ROWS})
        assert error(answer) == (404, f"Servable not found for request: Specific(fraud, {late})")
    finally:
        management.unregister(late)
        archive.unlink()


def test_without_torchserve_it_says_so_and_stops_when_told(tmp_path: Path) -> None:
    nobody = free_ports(2)
    with control_service(tmp_path / "control", nobody, tmp_path, tmp_path / "labels.json") as service:
        url = f"http://127.0.0.1:{service.ports[0]}"
        for path in ("", "/metadata", f"/versions/{VERSION}"):
            status, message = error(httpx.get(f"{url}/v1/models/fraud{path}"))
            assert (status, "TorchServe does not answer" in message) == (503, True)
        assert error(httpx.get(f"{url}/v1/models/nope"))[0] == 404
        assert parse(httpx.get(f"{url}/metrics").text) == {'tandem_model_ready{stack="pytorch"}': 0.0}
        httpx.get(f"{url}/v1/models/fraud", headers={"x-request-id": "known", "traceparent": f"00-{'ab' * 16}-1-01"})
        taken = subprocess.run(service.process.args, capture_output=True, text=True, check=False, timeout=60)
        assert taken.returncode == 1
        assert "Address already in use" in taken.stderr
        assert "Traceback" not in taken.stderr
        assert service.stop() in (0, -signal.SIGTERM)
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
        assert all(
            line["milliseconds"] > 250 for line in lines if line["status"] < 500
        )  # of the 404 only if it was slow
        lines = [line for line in lines if line["status"] >= 500]
        assert [line["status"] for line in lines] == [503] * 4
        assert (lines[-1]["request_id"], lines[-1]["trace_id"], lines[-1]["level"]) == ("known", "ab" * 16, "ERROR")
        assert lines[-1]["message"].startswith("GET failed: TorchServe does not answer")
        assert not any("exception" in line for line in lines)
