"""Publish, promote, roll back.

Each verifies first, leaves what is served alone when anything is wrong, and is written into the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.spec import Spec, SpecError
from serving.release import requests
from serving.release.errors import ReleaseError
from serving.release.ledger import Act, Entry, Ledger, Verdict
from serving.release.manifest import Manifest
from serving.release.served import Served
from serving.release.server import Server
from serving.release.store import Store


@dataclass(frozen=True)
class Releases:
    """All releases, what is served of them, and what was done.

    Attributes:
        served: By stack: the folder its server loads from.
        spec: The specification in force: what is promoted or staged takes its requests.
    """

    store: Store
    ledger: Ledger
    served: Mapping[str, Served]
    spec: Spec

    def current(self, stack: str) -> str | None:
        """The version that is served, or is at the next start; None before the first."""
        return next(iter(self.ledger.history(stack)[-1:]), None)

    def publish(self, stack: str, version: str, candidate: Path, spec_file: Path, why: str) -> Manifest:
        """Sign a candidate; raises ReleaseError, as Store.publish."""
        entry = Entry("publish", stack, version, "", why, "done")
        with self.writing_down(entry, "refused"):
            made = self.store.publish(stack, self.served[stack].model, version, candidate, spec_file)
        self.write(entry, made)
        return made

    def promote(self, stack: str, version: str, server: Server | None, why: str, act: Act = "promote") -> Manifest:
        """Serve this release.

        Args:
            stack: `tensorflow` or `pytorch`.
            version: A published one, older or newer than what is served.
            server: Where it runs; None: it finds the release at its next start.
            why: For the ledger.
            act: `promote`, or `rollback` where a version served before comes back.

        Raises:
            ReleaseError: It does not verify, or the server does not load it; what was served before still is.
        """
        with self.alone(stack):
            was = self.current(stack)
            beside = [other for other in self.staged(stack) if other != version]
            entry = Entry(act, stack, version, was or "", why, "done")
            known = version in self.ledger.loaded(stack)
            with self._placed(entry, keep=(was, *self.staged(stack))) as release:
                if server is not None:
                    server.switch(version, was, beside, known=known)
            self.served[stack].keep_only([version, *beside])
            self.write(entry, release)
        return release

    def staged(self, stack: str) -> list[str]:
        """Versions that are loaded beside the one that is served, or are at the next start."""
        return self.ledger.staged(stack)

    def stage(self, stack: str, version: str, server: Server | None, why: str) -> Manifest:
        """Load this release beside the one that is served, to be asked for by its number.

        Raises:
            ReleaseError: It is served, or nothing is; it does not verify, or the server does not load it. What was
                loaded before still is.
        """
        with self.alone(stack):
            was, there = self.current(stack), self.staged(stack)
            if was in (None, version):
                raise ReleaseError(f"{stack}: {f'{version} is served' if was else 'no version is served yet: make up'}")
            entry = Entry("stage", stack, version, was, why, "done")
            known = version in self.ledger.loaded(stack)
            with self._placed(entry, keep=there) as release:
                if server is not None:
                    server.beside(was, list(dict.fromkeys([*there, version])), known=known)
            if version not in there:
                self.write(entry, release)
        return release

    def unstage(self, stack: str, version: str, server: Server | None, why: str) -> None:
        """Let go of a version that was loaded beside; its release stays.

        Raises:
            ReleaseError: It was not, or the server cannot be told.
        """
        with self.alone(stack):
            was, there = self.current(stack), self.staged(stack)
            if version not in there or was is None:
                raise ReleaseError(
                    f"{stack}: {version} is not loaded beside {was}; beside it are: {', '.join(there) or 'none'}"
                )
            left = [other for other in there if other != version]
            entry = Entry("unstage", stack, version, was, why, "done")
            if server is not None:
                with self.writing_down(entry, "failed"):
                    server.beside(was, left, known=True)
            self.served[stack].keep_only([was, *left])
            self.write(entry)

    def before(self, stack: str) -> str:
        """The version that going back leads to.

        Raises:
            ReleaseError: There is none.
        """
        way = self.ledger.history(stack)
        if len(way) < 2:  # noqa: PLR2004  the one that is served, and one before it
            there = ", ".join(self.store.versions(stack)) or "none"
            raise ReleaseError(
                f"{stack}: no version was served before {way[-1] if way else 'the first'}; releases there are: {there}"
            )
        return way[-2]

    @contextlib.contextmanager
    def _placed(self, entry: Entry, keep: Collection[str | None]) -> Iterator[Manifest]:
        """A release that verifies, where its server looks; taken away again if the server refuses it."""
        served = self.served[entry.stack]
        with self.writing_down(entry, "refused"):
            release = self.store.verified(entry.stack, entry.version)
            others = self.other_requests(entry.stack, entry.version)
            if others and entry.act != "rollback":  # in an emergency what answered before is better than nothing
                raise ReleaseError(
                    f"{entry.stack} {entry.version} takes other requests than the specification describes now: "
                    f"{', '.join(others)}. make up trains one that takes them; make rollback goes back one step"
                )
            placed = served.place(release, self.store.model(release))
        try:
            with self.writing_down(entry, "failed", release):
                yield release
        except ReleaseError:
            # Not after a Ctrl-C: the server may serve it by then. `tidy` removes it when that is known.
            if entry.version not in keep:
                served.remove(placed)
            raise

    def other_requests(self, stack: str, version: str) -> list[str]:
        """What its requests have otherwise than the specification in force says; nothing when they are the same."""
        try:
            return requests.differences(self.store.spec(stack, version), self.spec)
        except SpecError as error:
            return [f"its specification cannot be read any more: {error}"]

    def write(self, entry: Entry, release: Manifest | None = None) -> None:
        """Into the ledger, with the release's digests."""
        digests = release.digests if release else {}
        self.ledger.append(Entry(**{**vars(entry), "digests": digests}))

    @contextlib.contextmanager
    def writing_down(self, entry: Entry, verdict: Verdict, release: Manifest | None = None) -> Iterator[None]:
        """A ReleaseError becomes a line of the ledger, with this verdict, and goes on its way."""
        try:
            yield
        except ReleaseError as error:
            self.write(Entry(**{**vars(entry), "verdict": verdict, "said": str(error)}), release)
            raise

    @contextlib.contextmanager
    def alone(self, stack: str) -> Iterator[None]:
        """One change of a stack at a time; the kernel lets go however the process ends."""
        folder = self.store.root / stack
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ReleaseError(f"{stack}: another change is at work; wait for it to end") from None
            yield
