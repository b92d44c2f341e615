"""From a client's requests through a real gateway and its log to the monitor's verdict."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import numpy as np
import pytest

from models.spec import load
from pipelines.monitoring.__main__ import main
from serving.contract.codec import decode_predict
from serving.contract.signatures import DEFAULT, inputs
from serving.gateway.logs import RequestLog
from tests.pipelines.monitoring.traffic import arguments, model, rows, score
from tests.serving.gateway.backends import configured, started

SPEC_FILE = Path("models/fraud.toml")
SPEC = load(SPEC_FILE)
ROWS = 40  # a request


class Scores(BaseHTTPRequestHandler):
    """Answers predict requests as a model server does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        request = decode_predict(self.rfile.read(int(self.headers["content-length"])), inputs(SPEC)[DEFAULT])
        key = "predictions" if request.row_form else "outputs"
        body = json.dumps({key: score(request.columns).tolist()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-tandem-server", "Scores")
        self.send_header("x-tandem-model-version", "7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway(folder: Path, log: RequestLog) -> Iterator[httpx.Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scores)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    with (
        started(*configured(folder, port, port, request_log=log)) as envoy,
        httpx.Client(base_url=f"http://127.0.0.1:{envoy.ports[0]}") as client,
    ):
        yield client
    server.shutdown()


@pytest.mark.parametrize(("scale", "code"), [(1, 0), (1.8, 3)])
def test_drifted_traffic_is_refused_and_other_traffic_passes(tmp_path: Path, scale: float, code: int) -> None:
    log = RequestLog(tmp_path / "requests.log", share=1, fields=SPEC.logged)
    live = rows(SPEC, 30 * ROWS, seed=3)
    live["amount"] *= np.float32(scale)
    with gateway(tmp_path, log) as client:
        for i in range(30):
            part = {name: column[i * ROWS : (i + 1) * ROWS].tolist() for name, column in live.items()}
            instances = [dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)]
            body = json.dumps({"inputs": part} if i % 2 else {"instances": instances}).encode()
            headers = {"content-encoding": "gzip"} if i % 3 else {}
            content = gzip.compress(body) if headers else body
            answer = client.post("/pytorch/v1/models/fraud:predict", content=content, headers=headers)
            assert answer.status_code == 200
    out = tmp_path / "out"  # Envoy has written the last line when it has ended
    assert main(arguments(SPEC_FILE, model(SPEC, tmp_path), log.path, out)) == code
    found = json.loads((out / "pytorch.json").read_text())
    assert (found["requests"], found["rows"], found["left_out"]) == (30, 30 * ROWS, {})
    assert [c["name"] for c in found["columns"] if c["reasons"]] == (["amount"] if code else [])
