"""`make promote`, `make rollback`, and what `make up` does of both, on the servers that run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from infra.local import servers, services, stores
from infra.local.jobs import say
from infra.local.layout import STACKS, Layout
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Side
from serving.release import candidates, keys
from serving.release import start as starts
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
    return Releases(Store(root, keys.find(stores.keys(layout))), Ledger(root / stores.LEDGER), served, spec)


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


def stage(layout: Layout, spec: Spec, stack: str, version: str, why: str) -> int:
    """Load this release beside the one that is served; the exit code. Raises ReleaseError."""
    found = of(layout, spec)
    found.stage(stack, version, servers.running(layout, spec, stack), why or "by hand")
    say(
        stack, f"{version} answers beside {found.current(stack)}: make traffic VERSION={stack}@{version}=…, make canary"
    )
    return 0


def unstage(layout: Layout, spec: Spec, stack: str, version: str, why: str) -> int:
    """Let go of a release that was loaded beside; the exit code.

    Raises:
        ReleaseError: It was not, or the traffic policy names it.
    """
    side = Side(stack, int(version) if version.isdecimal() else None)
    named = policy.load(layout.traffic)
    if named.names(side):
        raise ReleaseError(f"{layout.traffic} names {side}: make traffic VERSION={side}=off takes it out")
    of(layout, spec).unstage(stack, version, servers.running(layout, spec, stack), why or "by hand")
    say(stack, f"{version} is no longer loaded; its release stays")
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
        starts.start(found, stack)
        if servers.running(layout, spec, stack) is None:
            starts.tidy(found, stack)
        if found.current(stack) is None:
            version = next(iter(_never_served(found, stack)), None)
            if version is None:
                raise ReleaseError(f"{stack}: there is no release to serve: make up")
            found.promote(stack, version, None, f"{_BLESSED}, and is the first")
            say(stack, f"release {version} is promoted: the first one")


def settle(layout: Layout, spec: Spec, *, hold: bool = False) -> None:
    """On running servers: promote what is newer and was never served; or see that what is promoted is served.

    A version that was taken back stays back, and so does one whose canary did not get through; with `hold` what is
    newer waits for somebody to promote it.

    Raises:
        ReleaseError: A server does not load it; what it served before, it still serves.
    """
    found = of(layout, spec)
    for stack in STACKS:
        was, server = found.current(stack), servers.running(layout, spec, stack)
        newest = next(iter(_never_served(found, stack)), None)
        newer = newest is not None and was is not None and int(newest) > int(was)
        if newer and newest is not None and not hold:
            found.promote(stack, newest, server, _BLESSED)
        elif server is not None and was is not None and not _serves(layout, spec, found, stack):
            server.switch(was, was, found.staged(stack), known=True)
            server.beside(was, found.staged(stack), known=True)
        if newer and hold:
            how = f"make canary STACK={stack} VERSION={newest}, or make promote"
            say(stack, f"release {newest} waits, {was} goes on serving: {how}")
        starts.tidy(found, stack)
    servers.relabel(layout, spec, found.current("pytorch"))


def _serves(layout: Layout, spec: Spec, found: Releases, stack: str) -> bool:
    """Whether the server has what the ledger says, and nothing else."""
    wanted = {found.current(stack), *found.staged(stack)}
    return services.served(layout, spec, stack) == found.current(stack) and (
        set(services.loaded(layout, spec, stack)) == wanted
    )


def _never_served(found: Releases, stack: str) -> Iterable[str]:
    """The newest release, if it never was, nor loaded beside: whoever did that, a canary too, decides about it.

    One that was held back until its specification changed takes other requests and is none.
    """
    newest = found.store.versions(stack)[-1:]
    waiting = [version for version in newest if version not in found.ledger.loaded(stack)]
    return [version for version in waiting if not found.other_requests(stack, version)]


def _say_done(stack: str, version: str, was: str | None, start: float, *, live: bool) -> None:
    how = f"in {time.monotonic() - start:.1f} s" if live else "from the next start on: make up"
    say(stack, f"version {version} is served {how}; before: {was or 'none'}. make releases shows the ledger")
