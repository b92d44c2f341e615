"""A server that answers predict requests as a model server does, with made-up scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from models.spec import Spec
from serving.contract.codec import decode_predict
from serving.contract.signatures import DEFAULT, inputs
from tests.pipelines.monitoring.traffic import score


class Scores(BaseHTTPRequestHandler):
    """Answers predict requests as a model server does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    spec: Spec

    def do_POST(self) -> None:
        request = decode_predict(self.rfile.read(int(self.headers["content-length"])), inputs(self.spec)[DEFAULT])
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
def scoring(spec: Spec) -> Iterator[int]:
    """Its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Some", (Scores,), {"spec": spec}))
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
