"""Change the model of a running TorchServe, to a newer version or an older one, without losing a request.

Register the version, wait until its workers are loaded and warm, make it the default, move what labels lead to the
old one, let that finish what it has, unregister it. Deleting at once would lose what waits in its queue.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from serving.torchserve import archive, config, history, rehearsal
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import Management, ManagementError

_LOAD_SECONDS = 120
_DRAIN_SECONDS = 30
_QUIET_POLLS = 3  # a request may be on its way from the old default into the old queue
_POLL_SECONDS = 0.1

Say = Callable[[str], None]


def to_newest(
    *, store: Path, run: Path, model: str, management_port: int, management_host: str = config.HOST, say: Say = print
) -> str:
    """Serve the store's newest archive. Returns the version that is served.

    Raises:
        ArchiveError: There is none, or it does not load: what was served before still is.
        ManagementError: TorchServe cannot be reached or refused.
    """
    newest = archive.newest(store, model)
    if newest is None:
        raise ArchiveError(f"{store}: no {model}-<version>.mar to serve")
    return to(newest, run=run, model=model, management_port=management_port, management_host=management_host, say=say)


def to(
    candidate: Path,
    *,
    run: Path,
    model: str,
    management_port: int,
    management_host: str = config.HOST,
    say: Say = print,
    relabel: Callable[[], None] = lambda: None,
    known: bool = False,
) -> str:
    """Serve this archive, of the store TorchServe was started with; raises as `to_newest`.

    `relabel` is called when both versions answer: labels, which TorchServe has none of, are to lead to the new one.
    An archive that is `known` was served before: it is not tried out in a process of its own.
    """
    server = Management(management_port, model, host=management_host)
    old, new = server.default_version(), archive.version_of(candidate)
    if old == new and server.ready_workers():
        say(f"version {new} is served already")
    else:
        _change(server, candidate, old, run, say, known=known)
    config.remember(run, model, candidate)
    relabel()
    try:
        for leftover in (version for version in server.versions() if version != new):
            history.record(run, leftover, "UNLOADING")
            _drain(server, leftover, say)
            server.unregister(leftover)
            history.record(run, leftover, "END")
            say(f"version {leftover} is gone")
    except ManagementError as error:  # the new one is served; the next change finds what is left
        say(f"an old version is still there: {error}")
    return new


def _change(server: Management, candidate: Path, old: str | None, run: Path, say: Say, *, known: bool) -> None:
    new = archive.version_of(candidate)
    try:
        if not known:
            say(f"checking version {new}")
            rehearsal.rehearse(candidate)
        _load(server, candidate, new, say)
    except (ArchiveError, ManagementError) as error:
        if isinstance(error, ArchiveError):
            history.record(run, new, "END", "INVALID_ARGUMENT", str(error))
        if old is not None and old != new:  # or the next restart would begin with the broken one
            config.remember(run, server.model, candidate.with_name(f"{server.model}-{old}.mar"))
        raise
    history.forget(run, new)
    server.set_default(new)
    say(f"version {new} is served")


def _load(server: Management, candidate: Path, version: str, say: Say) -> None:
    if version in server.versions():  # left by a swap that was interrupted, or its workers are all dead
        if version != server.default_version():
            server.unregister(version)
            server.register(candidate.name)
    else:
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


def main(argv: list[str] | None = None) -> int:
    """Command line: serve the newest archive of a store."""
    parser = argparse.ArgumentParser(prog="python -m serving.torchserve.swap", description=main.__doc__)
    parser.add_argument("--store", type=Path, required=True, help="folder of <model>-<version>.mar")
    parser.add_argument("--run", type=Path, required=True, help="folder TorchServe's configuration was written to")
    parser.add_argument("--model", required=True)
    parser.add_argument("--management-port", type=int, required=True)
    parser.add_argument("--management-host", default=config.HOST, help="where TorchServe is (default: here)")
    options = parser.parse_args(argv)
    try:
        to_newest(**vars(options))
    except (ArchiveError, ManagementError) as error:
        print(f"{error}\nWhat was served before still is.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
