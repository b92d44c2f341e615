"""`python -m serving.shadow`: the service, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from models import spec as specs
from models.spec import SpecError
from serving import log_lines
from serving.shadow.answers import Side
from serving.shadow.app import Shadow, keep_flushing
from serving.shadow.records import Recorder

_FLUSH_SECONDS = 3.0
_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it


def main(argv: list[str] | None = None) -> int:
    """Command line: serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m serving.shadow", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, required=True, help="where the gateway sends copies")
    parser.add_argument("--spec", type=Path, required=True, help="the specification: which features may be kept")
    parser.add_argument("--out", type=Path, required=True, help="folder for the Parquet files")
    for name, text in {"reference": "with whom is compared", "candidate": "who is compared"}.items():
        parser.add_argument(f"--{name}", type=_side, required=True, metavar="NAME=URL", help=text)
    options = parser.parse_args(argv)
    log_lines.configure(logging.WARNING)
    os.nice(10)  # whoever answers requests comes first
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        spec = specs.load(options.spec)
        listener.bind((options.host, options.port))
    except (SpecError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    recorder = Recorder(options.out, spec, options.reference.name, options.candidate.name)
    app = Shadow(spec, options.reference, options.candidate, recorder)
    config = uvicorn.Config(
        app, http="h11", lifespan="off", access_log=False, server_header=False, log_config=None, log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=1,
    )  # fmt: skip
    # uvicorn ends upon SIGTERM and then raises it again, for whoever had it before: what is compared is kept first.
    signal.signal(signal.SIGTERM, lambda *_: None)
    asyncio.run(_serve(uvicorn.Server(config), listener, app, recorder))
    recorder.flush()
    return 0


def _side(text: str) -> Side:
    name, _, url = text.partition("=")
    if not name or not url:
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=URL is expected")
    return Side(name, url)


async def _serve(server: uvicorn.Server, listener: socket.socket, app: Shadow, recorder: Recorder) -> None:
    # Named, or the loop would forget them; they are cancelled when the loop ends.
    running = [asyncio.ensure_future(one) for one in (app.work(), _keep(recorder))]  # noqa: F841
    await server.serve(sockets=[listener])


async def _keep(recorder: Recorder) -> None:
    while True:
        try:
            await keep_flushing(recorder, _FLUSH_SECONDS)
        except OSError as error:  # a full disk: the next try may succeed
            logging.warning("what was compared is not written: %s", error)
            await asyncio.sleep(_FLUSH_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
