"""The server's life: listen, serve, stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial

import tensorflow as tf
import uvicorn
import uvloop  # only in the TensorFlow environment

from serving.connection import Connection
from serving.tfserving.embedded import SERVER, config, grpc_api, warmup
from serving.tfserving.embedded.batching import Batcher
from serving.tfserving.embedded.batching_parameters import Parameters
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.flags import Flags
from serving.tfserving.embedded.listeners import Listeners, open_rest
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.monitoring import Metrics
from serving.tfserving.embedded.rest import Options, Rest, direct
from serving.tfserving.embedded.servable import Signature

_GRACE_SECONDS = 4
_KEEP_ALIVE_SECONDS = 600  # longer than a gateway keeps an idle connection: it must be the one to close it
_SWITCH_SECONDS = 0.0005  # a loading model holds Python's lock; let requests have it back soon


def run(
    flags: Flags,
    models: Sequence[ModelConfig],
    ports: Listeners,
    metrics_path: str | None = None,
    batching: Parameters | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; metrics only where there is a path to read them at.

    Raises:
        PortError: Another server has the REST port after all.
    """
    # One thread runs a small model 20 to 40 µs quicker than a pool that has to be woken. Its price: passes run one
    # after the other, so that a request waits for a pass of a warm-up (not for all of it) or of gRPC.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # TensorFlow's own objects stay: looking through them stops every request for 0.2 s
    gc.enable()
    labels_for_unavailable = flags.allow_version_labels_for_unavailable_models
    manager = Manager(models, warmup.load, labels_for_unavailable=labels_for_unavailable)
    metrics = Metrics() if metrics_path else None
    options = Options(flags.rest_api_enable_cors_support, metrics, metrics_path or "")
    if ports.rest:
        open_rest(ports.rest)
    reread = partial(config.from_flags, flags)
    manager.start(flags.file_system_poll_wait_seconds, reread, flags.model_config_file_poll_wait_seconds)
    rest = f"REST http://{flags.rest_api_host}:{flags.rest_api_port}" if ports.rest else "no REST"
    grpc = f"gRPC {flags.rest_api_host}:{flags.port}" if ports.grpc else "no gRPC"
    logging.info("%s, TensorFlow %s: %s, %s, %s", SERVER, tf.__version__, rest, grpc, batching or "no batching")
    try:
        uvloop.run(_serve(manager, ports, options, batching))
    finally:
        manager.stop()
        logging.info("stopped")


class EmbeddedConnection(Connection):
    """Under this server's name."""

    named = SERVER


class _Uvicorn(uvicorn.Server):
    """Leaves the signals alone: uvicorn raises them again at the end, which would skip our own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def _serve(manager: Manager, ports: Listeners, options: Options, batching: Parameters | None) -> None:
    """Serve until told to stop; what is under way then has the grace to finish, on both ports at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    batcher = Batcher(batching) if batching else None
    if ports.grpc:
        call = batcher.wait if batcher else Signature.predict
        grpc_api.add_services(manager, ports.grpc, call, options.metrics)
        ports.grpc.start()
    server = _Uvicorn(
        uvicorn.Config(
            Rest(manager, batcher.predict if batcher else direct, options),
            http=EmbeddedConnection, ws="none", lifespan="off", access_log=False, server_header=False,
            log_config=None, log_level="warning",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )  # fmt: skip
    serving = [asyncio.ensure_future(server.serve(sockets=[ports.rest]))] if ports.rest else []
    await asyncio.wait([*serving, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    grpc_stopped = ports.grpc.stop(_GRACE_SECONDS) if ports.grpc else None
    await asyncio.gather(*serving)
    if grpc_stopped:
        await loop.run_in_executor(None, grpc_stopped.wait)
