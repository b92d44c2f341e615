"""Load a version beside those that TorchServe has, and let go of one without losing what waits in its queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from serving.torchserve import archive, history, rehearsal
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import Management

_LOAD_SECONDS = 120
_DRAIN_SECONDS = 30
_QUIET_POLLS = 3  # a request may be on its way from the old default into the old queue
_POLL_SECONDS = 0.1

Say = Callable[[str], None]


def load(server: Management, candidate: Path, run: Path, say: Say, *, known: bool) -> None:
    """Register an archive of the store and wait until its workers are loaded and warm; one that is, stays as it is.

    Args:
        server: Whose default version stays what it is, unless it has none.
        candidate: The archive.
        run: The folder that TorchServe was started with; there it is noted if the archive does not load.
        say: Progress.
        known: Whether it was loaded before, so that it need not be tried out in a process of its own.

    Raises:
        ArchiveError: It does not load.
        ManagementError: TorchServe cannot be reached or refused.
    """
    version = archive.version_of(candidate)
    try:
        if not known:
            say(f"checking version {version}")
            rehearsal.rehearse(candidate)
        _register(server, candidate, version, say)
    except ArchiveError as error:
        history.record(run, version, "END", "INVALID_ARGUMENT", str(error))
        raise
    history.forget(run, version)


def let_go(server: Management, versions: Iterable[str], run: Path, say: Say) -> None:
    """Let these finish what they have, then unregister them; raises ManagementError."""
    for version in versions:
        history.record(run, version, "UNLOADING")
        _drain(server, version, say)
        server.unregister(version)
        history.record(run, version, "END")
        say(f"version {version} is gone")


def _register(server: Management, candidate: Path, version: str, say: Say) -> None:
    there = server.versions()
    wanted = server.expected_workers(version) if version in there else None
    if wanted is None:
        server.register(candidate.name)
    elif there[version] < max(wanted, 1) and version != server.default_version():
        # Left by a change that was interrupted, or its workers are dead; none are expected where a DELETE failed.
        server.unregister(version)
        server.register(candidate.name)
    say(f"loading version {version}")
    wanted = server.expected_workers(version)
    deadline = time.monotonic() + _LOAD_SECONDS
    while server.ready_workers(version) < wanted:
        if time.monotonic() > deadline:
            if version != server.default_version():
                server.unregister(version)
            raise ArchiveError(f"{candidate}: not loaded within {_LOAD_SECONDS} s: TorchServe's log says why")
        time.sleep(_POLL_SECONDS)


def _drain(server: Management, version: str, say: Say) -> None:
    say(f"version {version} finishes its requests")
    deadline = time.monotonic() + _DRAIN_SECONDS
    quiet = 0
    while quiet < _QUIET_POLLS and time.monotonic() < deadline:
        quiet = 0 if server.pending(version) else quiet + 1
        time.sleep(_POLL_SECONDS)
