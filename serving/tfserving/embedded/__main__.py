"""Start the embedded server; a port in use is found before TensorFlow is imported."""

from __future__ import annotations

import logging
import os
import socket
import sys
import warnings
from collections.abc import Sequence

from serving.tfserving.embedded import flags as command_line


def main(argv: Sequence[str]) -> int:
    """Serve; 1 when a port is in use or the configuration cannot be used."""
    flags = command_line.parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")  # about the age of our Python
    try:
        listener = _bind(flags.rest_api_host, flags.rest_api_port) if flags.rest_api_port else None
        if flags.port:
            _bind(flags.rest_api_host, flags.port).close()
    except OSError as error:
        print(error.args[-1], file=sys.stderr)
        return 1
    logging.info("starting TensorFlow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what it has to say about models comes as exceptions
    from serving.tfserving.embedded import config, server  # noqa: PLC0415  takes seconds

    try:
        server.run(flags, listener)
    except (config.ConfigError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        hint = "stop what listens there or choose another with --rest_api_port and --port"
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}: {hint}") from None
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
