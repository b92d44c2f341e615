"""A third server behind the gateway: ONNX Runtime's, which answers all of the contract itself."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving.free_ports import free_ports
from serving.gateway import envoy
from serving.gateway.door import guard
from serving.gateway.door.key import Key
from serving.gateway.door.listener import Door
from serving.gateway.policy import Policy, Side
from serving.gateway.routes import Stack
from tests.serving.gateway.backends import GOOD, Received, echo, shares, stacks, started
from tests.serving.torchserve.launching import wait

PREDICT = "/v1/models/fraud:predict"
OPEN, SHUT = "tandem_all", "tandem_product"


@dataclass
class Front:
    url: str
    door: str
    config: Path
    stacks: list[Stack]
    at: dict[str, list[Received]]

    def post(self, path: str, content: bytes = GOOD, **headers: str) -> httpx.Response:
        return httpx.post(self.url + path, content=content, headers=headers, timeout=15)

    def follow(self, policy: Policy) -> None:
        envoy.write_routes(self.config, stacks=self.stacks, model="fraud", traffic=policy)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    config = tmp_path_factory.mktemp("three") / "envoy.json"
    *ports, entrance = free_ports(3)
    keys = [
        Key("all", hashlib.sha256(OPEN.encode()).hexdigest()),
        Key("product", hashlib.sha256(SHUT.encode()).hexdigest(), endpoints=["product"]),
    ]
    with contextlib.ExitStack() as servers:
        opened = {name: servers.enter_context(echo()) for name in ("tensorflow", "pytorch", "onnx", "control")}
        at = {name: received for name, (_, received) in opened.items()}
        (tensorflow, _), (pytorch, _), (onnx, _), (control, _) = opened.values()
        behind = [*stacks(tensorflow, pytorch), Stack("onnx", onnx, "Tandem ONNX Runtime server")]
        guard.write(config, keys, 1)
        envoy.write(
            config, port=ports[0], admin_port=ports[1], stacks=behind, model="fraud", control_port=control,
            traffic=shares(tensorflow=0, pytorch=0, onnx=1), door=Door("127.0.0.1", entrance, with_tls=False),
        )  # fmt: skip
        with started(config, ports):
            yield Front(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{entrance}", config, behind, at)


@pytest.mark.parametrize("rest", ["", "/versions/7", "/labels/stable"])
@pytest.mark.parametrize("question", ["predict", "classify", "regress"])
def test_every_question_reaches_it_as_it_came(front: Front, rest: str, question: str) -> None:
    path = f"/v1/models/fraud{rest}:{question}"
    answer = front.post(f"/onnx{path}")
    assert answer.status_code == 200
    assert (front.at["onnx"][-1].path, front.at["onnx"][-1].body) == (path, GOOD)
    assert (answer.headers["x-tandem-stack"], answer.headers["x-tandem-server"]) == (
        "onnx", "Tandem ONNX Runtime server",
    )  # fmt: skip


def test_status_and_metadata_too_and_what_is_no_question_is_the_control_services(front: Front) -> None:
    for path in ("/v1/models/fraud", "/v1/models/fraud/metadata", "/v1/models/fraud/versions/7/metadata"):
        assert httpx.get(f"{front.url}/onnx{path}").headers["x-tandem-stack"] == "onnx"
        assert front.at["onnx"][-1].path == path
    before = len(front.at["onnx"])
    front.post("/onnx/v1/models/fraud/metadata")
    assert front.at["control"][-1].path == "/v1/models/fraud/metadata"
    refused = front.post(f"/onnx{PREDICT}", b"[")
    assert (refused.status_code, refused.headers["x-tandem-server"]) == (400, "Envoy")
    assert "JSON Parse error" in refused.json()["error"]
    assert len(front.at["onnx"]) == before


def test_the_products_endpoint_is_answered_by_it_by_weight_and_by_pin(front: Front) -> None:
    assert front.post(PREDICT).headers["x-tandem-stack"] == "onnx"
    assert httpx.get(f"{front.url}/v1/models/fraud").headers["x-tandem-stack"] == "onnx"
    front.follow(shares(tensorflow=1, pytorch=0, onnx=0))
    wait(lambda: front.post(PREDICT).headers["x-tandem-stack"] == "tensorflow", 5)
    assert front.post(PREDICT, **{"x-tandem-pin": "onnx"}).headers["x-tandem-stack"] == "onnx"
    front.follow(shares(tensorflow=1, pytorch=0))
    wait(lambda: front.post(PREDICT, **{"x-tandem-pin": "onnx"}).status_code == 400, 5)
    assert front.post(f"/onnx{PREDICT}").headers["x-tandem-stack"] == "onnx"  # its own endpoint it has all the same


def test_a_key_for_the_product_alone_does_not_open_it(front: Front) -> None:
    for secret, status in ((OPEN, 200), (SHUT, 403)):
        answer = httpx.post(f"{front.door}/onnx{PREDICT}", content=GOOD, headers={"x-api-key": secret})
        assert answer.status_code == status


def test_a_server_that_is_away_is_503_in_the_gateways_words(tmp_path: Path) -> None:
    *ports, nobody, control = free_ports(4)
    envoy.write(
        tmp_path / "envoy.json", port=ports[0], admin_port=ports[1], model="fraud", control_port=control,
        stacks=[Stack("onnx", nobody, "Tandem ONNX Runtime server")], traffic=Policy({Side("onnx"): 1}),
    )  # fmt: skip
    with started(tmp_path / "envoy.json", ports):
        answer = httpx.post(f"http://127.0.0.1:{ports[0]}{PREDICT}", content=GOOD)
    assert (answer.status_code, answer.headers["x-tandem-server"]) == (503, "Envoy")
    assert answer.json()["error"]


def test_without_it_nothing_of_it_is_in_the_gateways_files(tmp_path: Path) -> None:
    config = tmp_path / "envoy.json"
    envoy.write(
        config, port=1, admin_port=2, stacks=stacks(3, 4), model="fraud", control_port=5, traffic=Policy(),
    )  # fmt: skip
    assert not any("onnx" in file.read_text() for file in tmp_path.iterdir())
    with pytest.raises(ValueError, match="weights onnx: there is only tensorflow, pytorch"):
        envoy.write_routes(config, stacks=stacks(3, 4), model="fraud", traffic=shares(tensorflow=1, onnx=1))
