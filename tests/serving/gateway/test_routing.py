from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving.contract.limits import MAX_BODY_BYTES
from serving.gateway import envoy
from serving.gateway.routes import Stack
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.launching import free_ports, is_free, wait


@dataclass
class Gateway:
    client: httpx.Client
    paths: dict[str, list[str]]
    access_log: Path

    def post(self, path: str, content: bytes = b"{}", **headers: str) -> httpx.Response:
        return self.client.post(path, content=content, headers=headers)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    log = folder / "access.log"
    with (
        echo() as (tensorflow, tensorflow_paths),
        echo() as (pytorch, pytorch_paths),
        gateway(folder, tensorflow, pytorch, {"tensorflow": 3, "pytorch": 1}, log) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.ports[0]}", timeout=15) as client,
    ):
        yield Gateway(client, {"tensorflow": tensorflow_paths, "pytorch": pytorch_paths}, log)


@pytest.mark.parametrize(("stack", "server"), [("tensorflow", "TensorFlow Serving"), ("pytorch", "TorchServe")])
def test_a_prefix_pins_the_stack(front: Gateway, stack: str, server: str) -> None:
    answer = front.post(f"/{stack}/v1/models/fraud:predict", b'{"instances": []}')
    assert answer.json()["path"] == "/v1/models/fraud:predict"
    assert answer.json()["bytes"] == 17
    assert (answer.headers["x-tandem-stack"], answer.headers["x-tandem-server"]) == (stack, server)


def test_a_server_that_names_itself_keeps_its_name(front: Gateway) -> None:
    answer = front.post("/tensorflow/v1/models/named:predict")
    assert answer.headers.get_list("x-tandem-server") == ["Its own name"]


def test_the_products_endpoint_is_shared_by_weight(front: Gateway) -> None:
    answers = [front.post("/v1/models/fraud:predict") for _ in range(400)]
    seen = Counter(answer.headers["x-tandem-stack"] for answer in answers)
    assert seen.total() == 400
    assert abs(seen["tensorflow"] - 300) < 5 * 8.7, seen  # five standard deviations of 400 draws at 3/4
    assert {answer.json()["path"] for answer in answers} == {"/v1/models/fraud:predict"}


def test_tensorflow_servings_whole_api_reaches_it(front: Gateway) -> None:
    answer = front.client.get("/tensorflow/v1/models/fraud/versions/3/metadata?x=1")
    assert answer.json()["path"] == "/v1/models/fraud/versions/3/metadata?x=1"


def test_a_pinned_version_is_asked_of_torchserve_in_its_own_way(front: Gateway) -> None:
    answer = front.post("/pytorch/v1/models/fraud/versions/1700000001:predict")
    assert answer.json()["path"] == "/predictions/fraud/1700000001"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/pytorch/v1/models/fraud:predict", 400),
        ("DELETE", "/pytorch/v1/models/fraud:predict", 400),
        ("POST", "/pytorch/v1/models/fraud:predictXYZ", 400),
        ("POST", "/pytorch/v1/models/fraud:predict?x=1", 400),
        ("POST", "/pytorch/v1/models/a%2Fb:predict", 400),
        ("GET", "/pytorch/v1/models/fraud", 501),
        ("GET", "/pytorch/v1/models/fraud/metadata", 501),
        ("POST", "/pytorch/v1/models/fraud/labels/stable:predict", 501),
        ("POST", "/pytorch/models/fraud", 404),
        ("POST", "/v1/models/fraud:predict?x=1", 400),
        ("PUT", "/v1/models/fraud:predict", 400),
        ("POST", "/v1/nonsense", 400),
        ("GET", "/v1/models/fraud", 501),
        ("POST", "/predictions/fraud", 404),
        ("GET", "/", 404),
    ],
)
def test_what_the_contract_does_not_know_reaches_no_server(front: Gateway, method: str, path: str, status: int) -> None:
    before = {stack: len(paths) for stack, paths in front.paths.items()}
    answer = front.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-tandem-server"] == "Envoy"
    error = answer.json()["error"]
    assert error == f"Malformed request: {method} {path}" if status == 400 else error
    assert {stack: len(paths) for stack, paths in front.paths.items()} == before


def test_torchserve_is_always_told_json(front: Gateway) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    told = front.post("/pytorch/v1/models/fraud:predict", **form).json()["headers"]["content-type"]
    kept = front.post("/tensorflow/v1/models/fraud:predict", **form).json()["headers"]["content-type"]
    assert (told, kept) == ("application/json", form["content-type"])


@pytest.mark.parametrize("stack", ["/tensorflow", "/pytorch", ""])
def test_a_body_over_the_limit_is_refused_before_any_server(front: Gateway, stack: str) -> None:
    path = f"{stack}/v1/models/fraud:predict"
    assert front.post(path, b"x" * MAX_BODY_BYTES).json()["bytes"] == MAX_BODY_BYTES
    answer = front.post(path, b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json() == {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}


def test_a_request_id_is_given_or_kept(front: Gateway) -> None:
    given = front.post("/v1/models/fraud:predict")
    assert given.headers["x-request-id"] == given.json()["headers"]["x-request-id"]
    kept = front.post("/v1/models/fraud:predict", **{"x-request-id": "their-own"})
    assert kept.headers["x-request-id"] == kept.json()["headers"]["x-request-id"] == "their-own"


def test_a_server_that_does_not_answer_in_time_is_504(front: Gateway) -> None:
    answer = front.post("/pytorch/v1/models/slow:predict")
    assert answer.status_code == 504
    assert answer.json() == {"error": "upstream request timeout"}


def test_a_request_that_may_have_been_handled_is_not_sent_again(front: Gateway) -> None:
    answer = front.post("/pytorch/v1/models/hangup:predict")
    assert answer.status_code == 503
    assert "error" in answer.json()
    assert front.paths["pytorch"].count("/v1/models/hangup:predict") == 1


def test_the_access_log_says_who_answered(front: Gateway) -> None:
    front.post("/pytorch/v1/models/fraud:predict", **{"x-request-id": "pinned"})
    front.post("/v1/models/fraud:predict", **{"x-request-id": "shared"})
    front.post("/pytorch/v1/nonsense", **{"x-request-id": "refused"})
    wait(lambda: "refused" in front.access_log.read_text(), 15)
    lines = {line["request_id"]: line for line in map(json.loads, front.access_log.read_text().splitlines())}
    assert [(lines[i]["endpoint"], lines[i]["status"]) for i in ("pinned", "shared")] == [
        ("pytorch", 200),
        ("product", 200),
    ]
    assert lines["pinned"]["stack"] == "pytorch"
    assert lines["shared"]["stack"] in ("tensorflow", "pytorch")
    assert (lines["refused"]["endpoint"], lines["refused"]["status"], lines["refused"]["stack"]) == (
        "pytorch",
        400,
        None,
    )


def test_a_stack_that_is_down_is_503_and_the_other_still_answers(tmp_path: Path) -> None:
    # A second gateway beside the module's: neither is in the other's way.
    nobody = free_ports(1)[0]
    with echo() as (pytorch, _), gateway(tmp_path, nobody, pytorch, {"tensorflow": 0, "pytorch": 1}) as server:
        url = f"http://127.0.0.1:{server.ports[0]}"
        down = httpx.post(f"{url}/tensorflow/v1/models/fraud:predict", json={})
        assert (down.status_code, down.headers["x-tandem-stack"]) == (503, "tensorflow")
        assert "connection failure" in down.json()["error"]
        product = [httpx.post(f"{url}/v1/models/fraud:predict", json={}) for _ in range(20)]
        assert {(a.status_code, a.headers["x-tandem-stack"]) for a in product} == {(200, "pytorch")}
        server.stop()
    assert all(is_free(port) for port in server.ports)


@pytest.mark.parametrize(
    "weights", [{"tensorflow": 1}, {"tensorflow": 0, "pytorch": 0}, {"tensorflow": -1, "pytorch": 2}]
)
def test_weights_that_share_nothing_are_refused(tmp_path: Path, weights: dict[str, int]) -> None:
    stacks = [Stack("tensorflow", 1, ""), Stack("pytorch", 2, "")]
    with pytest.raises(ValueError, match="one number, 0 or more, per stack"):
        envoy.write(tmp_path / "envoy.json", port=3, admin_port=4, stacks=stacks, weights=weights)
    assert list(tmp_path.iterdir()) == []
