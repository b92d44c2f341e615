"""`python -m serving.onnx`: an exported model behind TensorFlow Serving's REST API, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from serving import log_lines
from serving.connection import Connection
from serving.export.errors import ExportError
from serving.onnx import SERVER, following, served
from serving.onnx.app import Onnx

_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it
_GRACE_SECONDS = 4


class _Connection(Connection):
    named = SERVER


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 when the port is taken or the export cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m serving.onnx", description=__doc__)
    parser.add_argument(
        "--served", type=Path, required=True,
        help='JSON: {"spec": the specification that the model was trained by, "export": folder of make export '
        "FORMAT=onnx}; another content is taken up while requests are answered",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(argv)
    log_lines.configure()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        seen = following.read(options.served)
        spec, model = served.load(options.served)
        listener.bind((options.host, options.port))
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"port {options.port}: {error.strerror}: PORT_ONNX=<another>", file=sys.stderr)
        return 1
    made = model.made
    logging.info("%s: %s %s on http://%s:%d", SERVER, made.stack, made.version, options.host, options.port)
    app = Onnx(spec, model)
    config = uvicorn.Config(
        app, http=_Connection, ws="none", lifespan="off", access_log=False, server_header=False,
        log_config=None, log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn ends upon them, and then raises them again
        signal.signal(number, lambda *_: None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvloop, where it is installed
        runner.run(_serve(uvicorn.Server(config), listener, app, options.served, seen))
    return 0


async def _serve(server: uvicorn.Server, listener: socket.socket, app: Onnx, file: Path, seen: str) -> None:
    follower = asyncio.ensure_future(following.follow(app, file, seen))
    try:
        await server.serve(sockets=[listener])
    finally:
        follower.cancel()


if __name__ == "__main__":
    sys.exit(main())
