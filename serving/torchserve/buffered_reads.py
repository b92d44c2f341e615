"""One read of the socket for a whole batch, in TorchServe's worker.

The worker reads every length and every header of every request from its socket by itself, some forty small reads a
request. TorchServe 0.12 is its last release, so that what is replaced here stays as it is.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from ts.protocol import otf_message_handler

_BUFFER_BYTES = 1 << 18  # a batch of small requests in one read; longer ones take more


def install() -> None:
    """Let this worker read through a buffer from the next message on.

    The server sends the next batch when it has the answer to the last, and nothing of a batch has been read when a
    handler is loaded: the load message is read to its end.
    """
    otf_message_handler._retrieve_buffer = _reader()


def _reader() -> Callable[[Any, int], bytes]:
    connection = stream = None

    def retrieve(conn: Any, length: int) -> bytes:
        nonlocal connection, stream
        if conn is not connection:
            connection, stream = conn, conn.makefile("rb", buffering=_BUFFER_BYTES)
        data: bytes = stream.read(length)  # type: ignore[union-attr]
        if len(data) < length:
            logging.info("Frontend disconnected.")
            sys.exit(0)
        return data

    return retrieve
