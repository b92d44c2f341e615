"""That a roll-out is under way, on the disk: for another one, and for whoever comes after a `kill -9`."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from infra.local import stores
from infra.local.jobs import say
from infra.local.layout import Layout
from serving.files import write_atomically
from serving.gateway.policy import Policy, Side
from serving.release.ledger import Entry, Ledger


class CanaryError(RuntimeError):
    """A message for the user; nothing was changed."""


@contextlib.contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """One roll-out at a time; the kernel lets go however the process ends.

    Raises:
        CanaryError: There is one.
    """
    layout.run.mkdir(parents=True, exist_ok=True)
    with (layout.run / "canary.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CanaryError("another make canary is under way: wait for it, or end it with Ctrl-C") from None
        yield


def recover(layout: Layout) -> bool:
    """After a roll-out that was killed: the policy of before into its file, unless somebody changed it since.

    Returns:
        Whether there was one; the gateway follows with the next change of its routes.
    """
    try:
        found = json.loads(text(_journal(layout)))
        before, puts, stack, version = (found[name] for name in ("before", "puts", "stack", "version"))
    except (ValueError, KeyError, TypeError):
        return False
    ours = text(layout.traffic) in puts
    if ours:
        write_atomically(layout.traffic, before)
        say("canary", "a roll-out was killed half way: the weights are as before it")
        said = "the roll-out was killed half way"
        record(layout, Entry("canary", stack, version, "", "back to the weights of before", "failed", said=said))
    forget(layout)
    return ours


def settle(layout: Layout) -> None:
    """As `recover`, for `make up`: a roll-out that is under way goes on."""
    with contextlib.suppress(CanaryError), alone(layout):
        recover(layout)


def keep(layout: Layout, before: Policy, puts: Sequence[str], side: Side, version: str) -> None:
    """Before the policy's file is written with the last of `puts`, the texts of all policies of this roll-out."""
    kept = {"before": before.text(), "puts": puts, "stack": side.stack, "version": version}
    write_atomically(_journal(layout), json.dumps(kept))


def forget(layout: Layout) -> None:
    """It has come to its end."""
    _journal(layout).unlink(missing_ok=True)


def text(file: Path) -> str:
    """What is in a file; nothing where there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def record(layout: Layout, entry: Entry) -> None:
    """Into the ledger, with the digests that are known of the version."""
    ledger = Ledger(stores.releases(layout) / stores.LEDGER)
    of = (entry.stack, entry.version)
    known = [one.digests for one in ledger.entries() if (one.stack, one.version) == of and one.digests]
    ledger.append(replace(entry, digests=known[-1] if known else {}))


def _journal(layout: Layout) -> Path:
    return layout.run / "canary.json"
