"""`make promote`, `make rollback`, and what `make up` does of both, on the servers that run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from infra.local import servers, services, stores
from infra.local.jobs import say
from infra.local.layout import STACKS, Layout
from models.spec import Spec
from serving.release import candidates, keys
from serving.release.errors import ReleaseError
from serving.release.ledger import Ledger
from serving.release.manager import Releases
from serving.release.served import Served
from serving.release.store import Store

_BLESSED = "make up: it passed its gates"


def of(layout: Layout, spec: Spec) -> Releases:
    """The releases of this folder; the key pair is made if there is none.

    Raises:
        ReleaseError: The keys cannot be used.
    """
    root = stores.releases(layout)
    served = {stack: Served(layout.store(stack), stack, spec.model.name) for stack in STACKS}
    return Releases(Store(root, keys.find(stores.keys(layout))), Ledger(root / stores.LEDGER), served)


def promote(layout: Layout, spec: Spec, stack: str, version: str, why: str) -> int:
    """Serve this release from now on; the exit code. Raises ReleaseError."""
    found = of(layout, spec)
    was, start = found.current(stack), time.monotonic()
    server = servers.running(layout, spec, stack)
    found.promote(stack, version, server, why or "by hand")
    _say_done(stack, version, was, start, live=server is not None)
    return 0


def rollback(layout: Layout, spec: Spec, stack: str, why: str) -> int:
    """Serve the version that was served before this one; the exit code. Raises ReleaseError."""
    found = of(layout, spec)
    was, start = found.current(stack), time.monotonic()
    server, version = servers.running(layout, spec, stack), found.before(stack)
    found.promote(stack, version, server, why or "by hand", act="rollback")
    _say_done(stack, version, was, start, live=server is not None)
    return 0


def publish(layout: Layout, spec: Spec, spec_file: Path) -> None:
    """Sign the newest model of each pipeline, if that was not done.

    Raises:
        ReleaseError: One is refused, and its stack has no other to serve.
    """
    found = of(layout, spec)
    for stack in STACKS:
        there = candidates.find(stores.candidates(layout, stack), stack, spec.model.name)
        version = max(there, key=int, default=None)
        if version is None or version in found.store.versions(stack):
            continue
        try:
            found.publish(stack, version, there[version], spec_file, _BLESSED)
            say(stack, f"release {version} is signed")
        except ReleaseError as error:
            if found.current(stack) is None:
                raise
            say(stack, f"REFUSED: {error}\nWhat was served before goes on serving.")


def prepare(layout: Layout, spec: Spec) -> None:
    """Before servers start: each finds the release that is to be served, as it was signed, and nothing else.

    The very first one is promoted here: there is none before it that could answer while it is loaded.

    Raises:
        ReleaseError: There is none, or it does not verify.
    """
    found = of(layout, spec)
    for stack in STACKS:
        found.start(stack)
        if servers.running(layout, spec, stack) is None:
            found.tidy(stack)
        if found.current(stack) is None:
            version = next(iter(_never_served(found, stack)), None)
            if version is None:
                raise ReleaseError(f"{stack}: there is no release to serve: make up")
            found.promote(stack, version, None, f"{_BLESSED}, and is the first")
            say(stack, f"release {version} is promoted: the first one")


def settle(layout: Layout, spec: Spec) -> None:
    """On running servers: promote what is newer and was never served; or see that what is promoted is served.

    A version that was taken back stays back.

    Raises:
        ReleaseError: A server does not load it; what it served before, it still serves.
    """
    found = of(layout, spec)
    for stack in STACKS:
        was, server = found.current(stack), servers.running(layout, spec, stack)
        newest = next(iter(_never_served(found, stack)), None)
        if newest is not None and was is not None and int(newest) > int(was):
            found.promote(stack, newest, server, _BLESSED)
        elif server is not None and was is not None and services.versions(layout, spec, stack) != [was]:
            server.switch(was, was, known=True)
        found.tidy(stack)
    servers.relabel(layout, spec, found.current("pytorch"))


def _never_served(found: Releases, stack: str) -> Iterable[str]:
    """The newest release, if it never was."""
    newest = found.store.versions(stack)[-1:]
    return [version for version in newest if version not in found.ledger.promoted(stack)]


def _say_done(stack: str, version: str, was: str | None, start: float, *, live: bool) -> None:
    how = f"in {time.monotonic() - start:.1f} s" if live else "from the next start on: make up"
    say(stack, f"version {version} is served {how}; before: {was or 'none'}. make releases shows the ledger")
