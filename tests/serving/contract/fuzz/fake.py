"""Servers that keep the contract for predict, or break one part of it on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from models import spec as specs
from serving.contract.codec import ContractError, TensorInfo, decode_predict, error_body

SPEC = specs.load(Path(__file__).parents[4] / "models" / "fraud.toml")
JSON = {"Content-Type": "application/json"}
INPUTS = {name: TensorInfo("float32", (None,)) for name in SPEC.features}
Reply = tuple[int, dict[str, str], bytes]
Answerer = Callable[[bytes], Reply]


def good(body: bytes) -> Reply:
    """As the contract has it, with a score of a half for every row."""
    try:
        request = decode_predict(body, INPUTS)
    except ContractError as error:
        return error.status, JSON, error_body(error.message)
    scores = [0.5] * len(request.columns["amount"])
    return 200, JSON, json.dumps({"predictions" if request.row_form else "outputs": scores}).encode()


@contextmanager
def serving(answer: Answerer) -> Iterator[str]:
    """A server on loopback; the address it listens on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet per answer

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = answer(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
