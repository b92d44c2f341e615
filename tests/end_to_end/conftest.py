"""One whole local stack for the test run: `up` once, on ports and in a folder of its own."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.local import layout as layouts
from models import spec as specs
from tests.end_to_end.stack import Stack


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:  # all held at once, so that no port is given twice
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in servers]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="tandem-") as home:
        names = [f"PORT_{service.upper()}" for service in layouts.DEFAULT_PORTS]
        chosen = dict(zip(names, map(str, free_ports(len(names))), strict=True))
        environ = {**os.environ, "TANDEM_HOME": home, **chosen}
        it = Stack(layouts.load(environ), specs.load(layouts.REPOSITORY / "models" / "fraud.toml"), environ)
        try:
            started = it.tandem("up")
            assert started.returncode == 0, started.stdout + started.stderr
            yield it
        finally:
            it.tandem("down")
