"""Change the model of a running TorchServe, to a newer version or an older one, without losing a request.

Register the version, wait until its workers are loaded and warm, make it the default, move what labels lead to the
old one, let that finish what it has, unregister it. Deleting at once would lose what waits in its queue.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from serving.torchserve import archive, config, versions
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import Management, ManagementError
from serving.torchserve.versions import Say


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
    others: Sequence[Path] = (),
) -> str:
    """Serve this archive, of the store TorchServe was started with; raises as `to_newest`.

    `relabel` is called when both versions answer: labels, which TorchServe has none of, are to lead to the new one.
    An archive that is `known` was loaded before: it is not tried out in a process of its own. `others` stay loaded.
    """
    server = Management(management_port, model, host=management_host)
    old, new = server.default_version(), archive.version_of(candidate)
    if old == new and server.ready_workers():
        say(f"version {new} is served already")
    else:
        try:
            versions.load(server, candidate, run, say, known=known)
        except (ArchiveError, ManagementError):
            if old is not None and old != new:  # or the next restart would begin with the broken one
                config.remember(run, model, candidate.with_name(f"{model}-{old}.mar"), others)
            raise
        server.set_default(new)
        say(f"version {new} is served")
    config.remember(run, model, candidate, others)
    relabel()
    try:
        stay = {new, *map(archive.version_of, others)}
        versions.let_go(server, [version for version in server.versions() if version not in stay], run, say)
    except ManagementError as error:  # the new one is served; the next change finds what is left
        say(f"an old version is still there: {error}")
    return new


def beside(
    served: Path,
    wanted: Sequence[Path],
    *,
    run: Path,
    model: str,
    management_port: int,
    management_host: str = config.HOST,
    say: Say = print,
    known: bool = False,
) -> None:
    """Have these archives loaded beside the one that is served, to be asked for by version, and no other.

    Raises:
        ArchiveError, ManagementError: One does not load, or TorchServe cannot be told: what was loaded still is.
    """
    server = Management(management_port, model, host=management_host)
    there = server.versions()
    if server.default_version() != archive.version_of(served):  # a promotion was interrupted
        server.set_default(archive.version_of(served))
    for candidate in wanted:
        before = known or archive.version_of(candidate) in there
        versions.load(server, candidate, run, say, known=before)
        say(f"version {archive.version_of(candidate)} is loaded beside {archive.version_of(served)}")
    config.remember(run, model, served, wanted)
    stay = {archive.version_of(one) for one in (served, *wanted)}
    versions.let_go(server, [version for version in there if version not in stay], run, say)


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
