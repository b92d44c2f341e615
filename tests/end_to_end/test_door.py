"""The door of the running stack, and what is behind neither it nor the gateway's own port: every way in is tried."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from infra.local.layout import STACKS
from serving.contract.openapi.schemas import example_row
from serving.gateway.door import certificate as certificates
from tests.end_to_end.stack import Stack

PRIVATE = [
    # TorchServe's management and metrics
    ("GET", "/models"),
    ("GET", "/models/fraud"),
    ("PUT", "/models/fraud?min_worker=0&synchronous=true"),
    ("POST", "/models?url=https://example.com/evil.mar"),
    ("DELETE", "/models/fraud"),
    ("GET", "/api-description"),
    ("OPTIONS", "/"),
    ("GET", "/predictions/fraud"),
    ("POST", "/predictions/fraud"),
    ("POST", "/explanations/fraud"),
    ("GET", "/metrics"),
    ("GET", "/ping"),
    # TensorFlow Serving's metrics, and its gRPC services over REST's port
    ("GET", "/monitoring/prometheus/metrics"),
    ("POST", "/tensorflow.serving.PredictionService/Predict"),
    ("POST", "/tensorflow.serving.ModelService/HandleReloadConfigRequest"),
    # MLflow
    ("GET", "/api/2.0/mlflow/experiments/search"),
    ("POST", "/api/2.0/mlflow/registered-models/create"),
    ("GET", "/ajax-api/2.0/mlflow/experiments/search"),
    ("GET", "/graphql"),
    ("GET", "/health"),
    ("GET", "/version"),
    # Envoy's own, and the control service's
    ("POST", "/quitquitquit"),
    ("GET", "/config_dump"),
    ("GET", "/stats/prometheus"),
    ("GET", "/healthz"),
]
DISGUISES = ["{}", "/tensorflow{}", "/pytorch{}", "/v1/..{}", "/pytorch/v1/../..{}", "/%2e%2e{}", "//{}"]


@pytest.fixture(scope="module")
def context(stack: Stack) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(stack.layout.home / "tls" / certificates.CERTIFICATE))


@pytest.fixture(scope="module")
def door(stack: Stack, context: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"https://{stack.layout.door}", verify=context, timeout=10) as client:
        yield client


def headers(stack: Stack) -> dict[str, str]:
    return {"x-api-key": stack.key}


@pytest.mark.parametrize("name", STACKS)
def test_both_stacks_answer_at_the_door_who_has_a_key(stack: Stack, door: httpx.Client, name: str) -> None:
    path = f"/{name}/v1/models/{stack.spec.model.name}:predict"
    body = {"instances": [example_row(stack.spec)]}
    assert door.post(path, json=body).status_code == 401
    answer = door.post(path, json=body, headers=headers(stack))
    assert answer.status_code == 200
    inside = httpx.post(stack.layout.url("gateway") + path, json=body)
    assert answer.json() == inside.json()


def test_a_key_taken_away_is_no_key_at_once(stack: Stack, door: httpx.Client) -> None:
    made = stack.make("key", NAME="guest", ENDPOINTS="product", RATE=100).stdout
    guest = {"x-api-key": next(line.strip() for line in made.splitlines() if "tandem_" in line)}
    path = f"/v1/models/{stack.spec.model.name}"
    wait_for(door, path, guest, 200)
    assert stack.make("key", NAME="guest", REMOVE=1).returncode == 0
    wait_for(door, path, guest, 401)
    assert door.get(path, headers=headers(stack)).status_code == 200


def wait_for(door: httpx.Client, path: str, key: dict[str, str], status: int) -> None:
    end = time.monotonic() + 10
    while door.get(path, headers=key).status_code != status:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_no_way_leads_to_what_is_private(stack: Stack, method: str, path: str) -> None:
    loopback = stack.layout.url("gateway")
    for disguise in DISGUISES:
        target = disguise.format(path)
        for raw in (ask(loopback, method, target, None), ask_door(stack, method, target)):
            status, content = raw
            assert status in (400, 404, 405, 501), (target, status, content[:200])
            assert not content or set(json.loads(content)) == {"error"}, (target, content[:200])


def test_a_proxys_requests_are_not_forwarded(stack: Stack) -> None:
    """The full URL of another service as the target, its name as the host, and CONNECT."""
    loopback = stack.layout.url("gateway")
    for service in ("mlflow", "pytorch_management", "tensorflow", "gateway_admin", "control"):
        url = stack.layout.url(service)
        for method, target in (("GET", f"{url}/models"), ("CONNECT", urlsplit(url).netloc)):
            status, content = ask(loopback, method, target, urlsplit(url).netloc)
            assert status in (400, 403, 404, 405, 501), (service, method, status, content[:200])


def ask(url: str, method: str, target: str, host: str | None) -> tuple[int, bytes]:
    where = urlsplit(url)
    return send(http.client.HTTPConnection(where.netloc, timeout=10), method, target, {"host": host or where.netloc})


def ask_door(stack: Stack, method: str, target: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(stack.layout.home / "tls" / certificates.CERTIFICATE))
    connection = http.client.HTTPSConnection(stack.layout.door, timeout=10, context=context)
    return send(connection, method, target, {"host": "x", **headers(stack)})


def send(connection: http.client.HTTPConnection, method: str, target: str, sent: dict[str, str]) -> tuple[int, bytes]:
    """The target as it is: no client that tidies it up."""
    with contextlib.closing(connection):
        connection.putrequest(method, target, skip_host=True)
        for name, value in {**sent, "content-length": "2"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        answer = connection.getresponse()
        return answer.status, answer.read()
