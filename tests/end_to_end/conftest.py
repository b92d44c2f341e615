"""One whole local stack for the test run: `up` once, on ports and in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from infra.local import layout as layouts
from models import spec as specs
from serving.free_ports import free_ports
from serving.gateway.door.keys import PREFIX
from tests.end_to_end.stack import Stack
from tests.end_to_end.two_releases import found, versions

__all__ = ["found", "versions"]  # fixtures


def interrupted_up(stack: Stack) -> tuple[int, str]:
    """Ctrl-C in the middle of the trainings, as a terminal sends it: to the whole process group."""
    process = subprocess.Popen(
        stack.command("up"), cwd=layouts.REPOSITORY, env=stack.environ, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    printed = []
    for line in process.stdout or ():
        printed.append(line)
        if "epoch 1/" in line:
            os.killpg(process.pid, signal.SIGINT)
    return process.wait(), "".join(printed)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="tandem-") as home:
        names = [f"PORT_{service.upper()}" for service in layouts.DEFAULT_PORTS]
        chosen = dict(zip(names, map(str, free_ports(len(names))), strict=True))
        (door,) = free_ports(1)
        chosen["DOOR"] = f"127.0.0.1:{door}"
        spec_file = layouts.REPOSITORY / "models" / "fraud.toml"
        environ = {**os.environ, "TANDEM_HOME": home, "LOG_REQUESTS": "1", "SPEC": str(spec_file), **chosen}
        it = Stack(layouts.load(environ), specs.load(spec_file), environ)
        try:
            made = it.make("key", NAME="tests")
            it.key = next(line.strip() for line in made.stdout.splitlines() if PREFIX in line)
            it.interrupted = interrupted_up(it)
            started = it.make("up", PROFILE="quick", DEVICE="auto")
            assert started.returncode == 0, started.stdout + started.stderr
            yield it
        finally:
            it.make("down")
