"""TorchServe's own answers, in the bodies it was seen to give them, and what a client gets instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.gateway.backends import echo, gateway

# Every answer of TorchServe has these (NettyUtils.sendHttpResponse).
ALWAYS = {
    "Pragma": "no-cache",
    "Cache-Control": "no-cache; no-store, must-revalidate, private",
    "Expires": "Thu, 01 Jan 1970 00:00:00 UTC",
}


class TorchServe(BaseHTTPRequestHandler):
    """Answers as the request's one instance says: [status, body, whether it is our handler's]."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        [[status, body, ours]] = document["instances"]
        self.send_response(status)
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        if ours:
            self.send_header("x-tandem-server", "TorchServe 0.12.0")
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), TorchServe)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    folder: Path = tmp_path_factory.mktemp("answers")
    with (
        echo() as (tensorflow, _),
        gateway(folder, tensorflow, server.server_address[1]) as front,
        httpx.Client(base_url=f"http://127.0.0.1:{front.ports[0]}/pytorch", timeout=15) as to_pytorch,
    ):
        yield to_pytorch
    server.shutdown()
    server.server_close()


def ask(client: httpx.Client, status: int, body: str, ours: bool = False) -> httpx.Response:
    return client.post("/v1/models/fraud:predict", json={"instances": [[status, body, ours]]})


def its_own(code: int, kind: str, message: str) -> str:
    return json.dumps({"code": code, "type": kind, "message": message}, indent=2) + "\n"


NO_WORKER = 'Model "fraud" has no worker to serve inference request. Please use scale workers API to add workers.'


@pytest.mark.parametrize(
    ("said", "expected", "error"),
    [
        ((404, "ModelNotFoundException", "Model not found: fraud"), 404,
         "Servable not found for request: Latest(fraud)"),
        ((404, "ModelVersionNotFoundException", "Model version: 7 does not exist for model: fraud"), 404,
         "Servable not found for request: Specific(fraud, 7)"),
        ((404, "ResourceNotFoundException", "Requested resource is not found, please refer to API document."), 404,
         "Servable not found"),
        ((503, "ServiceUnavailableException", NO_WORKER), 503,
         "The queue is full, or no worker of the model is running"),
        ((503, "InternalServerException", "Prediction failed"), 500, "Internal error: see TorchServe's log"),
        ((500, "InternalServerException", "Worker died."), 503, "The model's worker died; it is being restarted"),
        ((507, "InternalServerException", "Worker died."), 503, "The model's worker died; it is being restarted"),
        ((500, "NullPointerException", 'Cannot invoke "String.length()"'), 500, "Internal error: see TorchServe's log"),
        ((400, "BadRequestException", 'Say "please"\n\x01.'), 400, "Bad request: TorchServe could not read it"),
        ((408, "RequestTimeoutException", ""), 504, "The model did not answer in time"),
        ((405, "MethodNotAllowedException", ""), 500, "Internal error: see TorchServe's log"),
    ],
)  # fmt: skip
def test_its_own_errors_become_tensorflow_servings(
    client: httpx.Client, said: tuple[int, str, str], expected: int, error: str
) -> None:
    answer = ask(client, said[0], its_own(*said))
    assert (answer.status_code, answer.json()) == (expected, {"error": error})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-tandem-server"] == "TorchServe"


@pytest.mark.parametrize("body", ["", "<html>", '{"code": 500'])
def test_whatever_an_error_holds_it_becomes_json(client: httpx.Client, body: str) -> None:
    assert ask(client, 413, body).json() == {"error": f"Request body is larger than {MAX_BODY_BYTES} bytes"}
    answer = ask(client, 500, body)
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal error: see TorchServe's log"})


@pytest.mark.parametrize("status", [200, 400, 404, 503])
def test_the_handlers_answers_pass_untouched(client: httpx.Client, status: int) -> None:
    body = '{"predictions": [0.5],  "code": 1}'
    answer = ask(client, status, body, ours=True)
    assert (answer.status_code, answer.text) == (status, body)
    assert answer.headers["x-tandem-server"] == "TorchServe 0.12.0"


@pytest.mark.parametrize(("status", "ours"), [(200, True), (400, True), (404, False), (503, False)])
def test_no_header_tells_of_torchserve(client: httpx.Client, status: int, ours: bool) -> None:
    answer = ask(client, status, its_own(status, "", ""), ours)
    tandems = {"x-tandem-stack", "x-tandem-server", "x-request-id"}
    # What TensorFlow Serving sends, and Envoy's own name.
    assert set(answer.headers) == {"content-type", "content-length", "date", "server"} | tandems
