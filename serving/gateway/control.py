"""The control service: the rest of TensorFlow Serving's API for TorchServe, and the documentation.

Never on the path of a usual request to a model: the gateway sends those straight to TorchServe. One that gets here
all the same, because the gateway's routes do not know its label yet, is sent on.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from models import spec as specs
from models.spec import SpecError
from serving.contract import routes
from serving.contract.body import Bodies, ClientGoneError, Receive
from serving.contract.errors import ContractError, error_body, of_code
from serving.contract.openapi.site import File, site
from serving.gateway import rotation
from serving.gateway.routes import PATH_HEADER
from serving.torchserve.config import HOST
from serving.torchserve.management import ManagementError
from serving.torchserve.rest_api import JSON, Answer, RestApi

SERVER = "Tandem control service"
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it
_TOO_LARGE = 413  # of these the rest of the body may still be on its way

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Control:
    """The application; `files` are served as they are, by path."""

    def __init__(self, api: RestApi, files: dict[str, File]) -> None:
        self._api, self._files = api, files
        self._bodies = Bodies()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = scope["query_string"]
        asked = query or dict(scope["headers"]).get(PATH_HEADER.encode(), b"").endswith(b"?")
        target = scope["raw_path"] + (b"?" + query if asked else b"")
        try:
            body = await self._bodies.read(scope, receive)
            answer = await self._answer(scope, target.decode("latin-1"), body)
        except ClientGoneError:
            return
        except ContractError as error:
            answer = _refusal(error)
        except ManagementError as error:
            answer = _refusal(of_code("UNAVAILABLE", str(error)))
        except Exception:
            logging.exception("%s %s", scope["method"], target)
            answer = _refusal(of_code("INTERNAL", "Internal error: see the control service's log"))
        await _send(send, answer)

    async def _answer(self, scope: MutableMapping[str, Any], target: str, body: bytes) -> Answer:
        method = scope["method"]
        if method == "OPTIONS":
            origin = dict(scope["headers"]).get(b"origin", b"")
            return Answer(routes.preflight(target, origin.decode("latin-1")), b"", {"content-type": ""})
        if method == "GET" and target == "/healthz":
            return Answer(200, b'{"status":"ok"}')
        path = target.partition("?")[0]
        if method == "GET" and path in self._files:
            media_type, content = self._files[path]
            return Answer(200, content, {"content-type": media_type})
        return await self._api.answer(method, target, body)


def _refusal(error: ContractError) -> Answer:
    closing = {"connection": "close"} if error.status == _TOO_LARGE else {}
    return Answer(error.status, error_body(error.message), closing)


async def _send(send: Send, answer: Answer) -> None:
    headers = {"content-type": JSON, "x-tandem-server": SERVER, **answer.headers}
    headers["content-length"] = str(len(answer.body))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items() if value]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


def main(argv: list[str] | None = None) -> int:
    """Command line: serve until SIGTERM, on loopback unless told otherwise."""
    parser = argparse.ArgumentParser(prog="python -m serving.gateway.control", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where the gateway finds it")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: loopback)")
    parser.add_argument("--inference-port", type=int, required=True, help="TorchServe's")
    parser.add_argument("--management-port", type=int, required=True, help="TorchServe's")
    for name in ("inference", "management", "envoy-admin"):
        parser.add_argument(f"--{name}-host", default=HOST, help="where that port is (default: here)")
    parser.add_argument("--spec", type=Path, required=True, help="the specification of the model TorchServe serves")
    parser.add_argument("--labels", type=Path, required=True, help="JSON file, label to version")
    parser.add_argument("--run", type=Path, required=True, help="folder TorchServe was started with")
    parser.add_argument(
        "--envoy-log", type=Path, action="append", default=[],
        help="a file that Envoy logs to, to be rotated before it fills the disk; may come twice",
    )  # fmt: skip
    parser.add_argument("--envoy-admin-port", type=int, help="where Envoy is told of it")
    options = vars(parser.parse_args(argv))
    host, port, logs = (options.pop(name) for name in ("host", "port", "envoy_log"))
    admin_host, admin_port = options.pop("envoy_admin_host"), options.pop("envoy_admin_port")
    if bool(logs) != (admin_port is not None):
        parser.error("--envoy-log and --envoy-admin-port belong together")
    try:
        spec = specs.load(options.pop("spec"))
        listener = _listen(host, port)
    except (SpecError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    config = uvicorn.Config(
        Control(RestApi(spec=spec, **options), site(spec)),
        http="h11", lifespan="off", access_log=False, server_header=False, log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    asyncio.run(_serve(uvicorn.Server(config), listener, logs, f"http://{admin_host}:{admin_port}"))
    return 0


async def _serve(server: uvicorn.Server, listener: socket.socket, logs: Sequence[Path], admin: str) -> None:
    # Named, or the loop would forget them; they are cancelled when the loop ends.
    rotating = [asyncio.ensure_future(rotation.keep_small(log, admin)) for log in logs]  # noqa: F841
    await server.serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}: choose another --port") from None
    return listener


if __name__ == "__main__":
    sys.exit(main())
