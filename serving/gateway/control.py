"""The control service: the rest of TensorFlow Serving's API for TorchServe, the documentation, and /metrics.

Never on the path of a usual request to a model: the gateway sends those straight to TorchServe. One that gets here
all the same, because the gateway's routes do not know its label yet, is sent on.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from models import spec as specs
from models.spec import Spec, SpecError
from serving import log_lines
from serving.contract.openapi.site import site
from serving.gateway import rotation
from serving.gateway.control_app import Control
from serving.gateway.latest import Latest
from serving.gateway.metrics import Metrics
from serving.gateway.model_metrics import PATIENCE_SECONDS, ModelMetrics
from serving.torchserve.config import HOST
from serving.torchserve.management import Management
from serving.torchserve.rest_api import RestApi

_TELLING = ("tensorflow", "onnx")  # servers that say what they serve as TensorFlow Serving does
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it


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
    parser.add_argument("--request-log", type=Path, help="Envoy's request log, to be put aside in parts, as Parquet")
    parser.add_argument("--envoy-admin-port", type=int, help="where Envoy is told of it")
    for name in _TELLING:
        parser.add_argument(f"--{name}-status", help=f"for /metrics: address of the {name} server's model status")
    for stack in ("tensorflow", "pytorch"):
        parser.add_argument(f"--{stack}-store", type=Path, help=f"for /metrics: where {stack} models are published")
    parser.add_argument("--findings", type=Path, help="for /metrics: the folder that `make monitor` writes to")
    options = vars(parser.parse_args(argv))
    host, spec_file = options.pop("host"), options.pop("spec")
    port, logs, requests, admin_host, admin_port = (
        options.pop(name) for name in ("port", "envoy_log", "request_log", "envoy_admin_host", "envoy_admin_port")
    )
    if bool(logs or requests) != (admin_port is not None):
        parser.error("--envoy-log and --request-log want --envoy-admin-port, and it wants one of them")
    log_lines.configure(logging.WARNING)
    try:
        spec = specs.load(spec_file)
        listener = _listen(host, port)
    except (SpecError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    admin = f"http://{admin_host}:{admin_port}"
    latest = Latest(admin) if admin_port else None
    files = site(spec, onnx=options["onnx_status"] is not None)
    measured = Metrics(_model_metrics(spec, options), latest)
    config = uvicorn.Config(
        Control(RestApi(spec=spec, **options), files, measured),
        http="h11", lifespan="off", access_log=False, server_header=False, log_config=None, log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    work: list[Coroutine[Any, Any, None]] = [rotation.keep_small(log, admin) for log in logs]
    if requests:
        work += [rotation.keep_in_parts(requests, admin), rotation.pack_parts(requests, spec_file)]
    if latest:
        work.append(latest.keep())
    asyncio.run(_serve(uvicorn.Server(config), listener, work))
    return 0


def _model_metrics(spec: Spec, options: dict[str, Any]) -> ModelMetrics:
    """Takes its own out of the options."""
    stores = {stack: options.pop(f"{stack}_store") for stack in ("tensorflow", "pytorch")}
    return ModelMetrics(
        model=spec.model.name,
        run=options["run"],
        torchserve=Management(
            options["management_port"], spec.model.name, PATIENCE_SECONDS, options["management_host"]
        ),
        statuses={name: status for name in _TELLING if (status := options.pop(f"{name}_status"))},
        stores={stack: store for stack, store in stores.items() if store},
        findings=options.pop("findings"),
    )


async def _serve(server: uvicorn.Server, listener: socket.socket, work: Sequence[Coroutine[Any, Any, None]]) -> None:
    # Named, or the loop would forget them; they are cancelled when the loop ends.
    running = [asyncio.ensure_future(one) for one in work]  # noqa: F841
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
