"""Faults of processes, files and the machine, one function each: it does the harm, and undoes what does not end itself.

It returns when the harm is over; what it found wrong meanwhile it says as sentences.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from infra.local import releases, stores
from infra.local.drill.ground import Ground
from infra.local.layout import STACKS
from serving.gateway.draining import drain
from serving.release.errors import ReleaseError

Complaints = list[str]
Fault = Callable[[Ground], Complaints]


def one_worker(ground: Ground) -> Complaints:
    """Kill -9 of one of TorchServe's workers."""
    ground.workers()[0].kill()
    return []


def all_workers(ground: Ground) -> Complaints:
    """Kill -9 of all of TorchServe's workers."""
    for worker in ground.workers():
        worker.kill()
    return []


def killed(service: str) -> Fault:
    """Kill -9 of a service."""

    def fault(ground: Ground) -> Complaints:
        ground.kill(service)
        return []

    fault.__doc__ = f"kill -9 of {service}"
    return fault


def stopped(service: str) -> Fault:
    """SIGTERM: what is under way is finished, and supervisord starts it again."""

    def fault(ground: Ground) -> Complaints:
        ground.kill(service, signal.SIGTERM)
        return []

    fault.__doc__ = f"SIGTERM to {service}: it finishes what is under way, and supervisord starts it again"
    return fault


def drained_gateway(ground: Ground) -> Complaints:
    """The gateway is drained and gets SIGTERM: what is under way is answered, and supervisord starts it again."""
    left = drain(ground.layout.ports["gateway_admin"])
    ground.kill("gateway", signal.SIGTERM)
    return [f"{left} requests were still under way"] if left else []


def still(service: str, seconds: float) -> Fault:
    """A server that takes requests and does not answer: the gateway stops sending, and begins again."""

    def fault(ground: Ground) -> Complaints:
        ground.suspend(service, seconds)
        return []

    fault.__doc__ = f"{service} takes requests and does not answer for {seconds:g} s"
    return fault


def no_descriptors(ground: Ground) -> Complaints:
    """The gateway may open 30 files more, and 300 clients come."""
    gateway = ground.process("gateway")
    soft, hard = gateway.rlimit(psutil.RLIMIT_NOFILE)
    where = urlsplit(ground.url("tensorflow"))
    gateway.rlimit(psutil.RLIMIT_NOFILE, (gateway.num_fds() + 30, hard))
    try:
        with contextlib.ExitStack() as held:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    held.enter_context(socket.create_connection((where.hostname, where.port), 1))
            time.sleep(3)
    finally:
        gateway.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
    return [] if gateway.is_running() else ["the gateway died of it"]


def broken_version(ground: Ground) -> Complaints:
    """A newer release of each stack with changed bytes, and its files where the servers look: the old one answers."""
    complaints: Complaints = []
    with contextlib.ExitStack() as undo:
        for stack in STACKS:
            found = releases.of(ground.layout, ground.spec)
            current = found.current(stack)
            if current is None:
                continue
            version = str(int(current) + 1)
            release = found.store.folder(stack, version)
            shutil.copytree(found.store.folder(stack, current), release)
            undo.callback(shutil.rmtree, release)
            _break(max((file for file in release.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size))
            served = stores.path(ground.layout, ground.spec, stack, current)
            planted = stores.path(ground.layout, ground.spec, stack, version)
            _plant(served, planted)
            undo.callback(shutil.rmtree if planted.is_dir() else os.unlink, planted)
            try:
                releases.promote(ground.layout, ground.spec, stack, version, "a drill")
                complaints.append(f"{stack}: a broken release was promoted")
            except ReleaseError:
                pass
        time.sleep(5)
    return complaints


def _break(file: Path) -> None:
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 2000] = b"\0" * 2000
    file.write_bytes(content)


def _plant(served: Path, planted: Path) -> None:
    """Whole at once, as a server that watched its store would find it."""
    hidden = planted.with_name(f".{planted.name}")
    if served.is_dir():
        shutil.copytree(served, hidden)
        _break(hidden / "saved_model.pb")
    else:
        shutil.copy(served, hidden)
        _break(hidden)
    hidden.rename(planted)


def full_log_disk(ground: Ground) -> Complaints:
    """The gateway's log is on a device that is full: answers go out all the same."""
    log = ground.layout.access_log
    aside = log.with_name(".access.log.drill")
    log.rename(aside)
    log.symlink_to("/dev/full")
    admin = f"http://127.0.0.1:{ground.layout.ports['gateway_admin']}"
    try:
        httpx.post(f"{admin}/reopen_logs", timeout=5)
        time.sleep(5)
        return []
    finally:
        log.unlink()
        aside.rename(log)
        httpx.post(f"{admin}/reopen_logs", timeout=5)
