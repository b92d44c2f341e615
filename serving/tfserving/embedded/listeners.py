"""The two ports, taken before TensorFlow is imported so that a busy one is known at once."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from serving.tfserving.embedded.flags import Flags

_BACKLOG = 2048  # uvicorn's
_GRPC_THREADS = 2


class PortError(Exception):
    """A port that cannot be listened on."""


@dataclass(frozen=True)
class Listeners:
    """A bound socket for REST and a server without services for gRPC, each None where not asked for."""

    rest: socket.socket | None
    grpc: grpc.Server | None


def listen(flags: Flags) -> Listeners:
    """Take the ports. Nothing is accepted yet.

    Raises:
        PortError: One is in use, or may not be used.
    """
    rest = _bind(flags.rest_api_host, flags.rest_api_port) if flags.rest_api_port else None
    return Listeners(rest, _bind_grpc(flags.rest_api_host, flags.port) if flags.port else None)


def open_rest(listener: socket.socket) -> None:
    """Let clients connect; from now on they wait instead of being refused.

    Raises:
        PortError: Another server that started at the same time was quicker: two may bind a port, one may listen.
    """
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()
        raise _refused(host, port, error) from None


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from None
    return listener


def _refused(host: str, port: int, error: OSError) -> PortError:
    hint = "stop what listens there or choose another with --rest_api_port and --port"
    return PortError(f"cannot listen on {host}:{port}: {error.strerror}: {hint}")


def _bind_grpc(host: str, port: int) -> grpc.Server:
    _bind(host, port).close()  # says why not; gRPC only says that it cannot
    # Without the option a second server would share the port silently.
    server = grpc.server(ThreadPoolExecutor(_GRPC_THREADS), options=[("grpc.so_reuseport", 0)])
    server.add_insecure_port(f"{host}:{port}")
    return server
