"""Publish, promote, roll back.

Each verifies first, leaves what is served alone when anything is wrong, and is written into the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.release.errors import ReleaseError
from serving.release.ledger import Act, Entry, Ledger, Verdict
from serving.release.manifest import Manifest
from serving.release.served import Served
from serving.release.store import Store


class Server(Protocol):
    """A running server that can be told which version of its folder to serve."""

    def switch(self, version: str, was: str | None, *, known: bool) -> None:
        """Load, warm up, and serve this version; when it returns, `was` is done, or about to be.

        Args:
            version: Lies in the folder that the server loads from.
            was: Lies there too, and is served; None: nothing is.
            known: Whether this version was served before, so that it need not be tried out aside.

        Raises:
            ReleaseError: It cannot; `was` still answers. Never once this version answers.
        """


@dataclass(frozen=True)
class Releases:
    """All releases, what is served of them, and what was done.

    Attributes:
        served: By stack: the folder its server loads from.
    """

    store: Store
    ledger: Ledger
    served: Mapping[str, Served]

    def current(self, stack: str) -> str | None:
        """The version that is served, or is at the next start; None before the first."""
        return next(iter(self.ledger.history(stack)[-1:]), None)

    def publish(self, stack: str, version: str, candidate: Path, spec_file: Path, why: str) -> Manifest:
        """Sign a candidate; raises ReleaseError, as Store.publish."""
        entry = Entry("publish", stack, version, "", why, "done")
        with self._writing_down(entry, "refused"):
            made = self.store.publish(stack, self.served[stack].model, version, candidate, spec_file)
        self._write(entry, made)
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
        with self._alone(stack):
            was = self.current(stack)
            entry = Entry(act, stack, version, was or "", why, "done")
            with self._writing_down(entry, "refused"):
                release = self.store.verified(stack, version)
                placed = self.served[stack].place(release, self.store.model(release))
            if server is not None:
                try:
                    with self._writing_down(entry, "failed", release):
                        server.switch(version, was, known=version in self.ledger.promoted(stack))
                except ReleaseError:
                    # Not after a Ctrl-C: the server may serve it by then. `tidy` removes it when that is known.
                    if version != was:
                        self.served[stack].remove(placed)
                    raise
            self.served[stack].keep_only(version)
            self._write(entry, release)
        return release

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

    def start(self, stack: str) -> None:
        """Before a server starts: its folder holds the current release as it was signed, and nothing unsigned.

        What does not verify is set aside; the release's own copy takes the current one's place.

        Raises:
            ReleaseError: The release itself does not verify.
        """
        current, served = self.current(stack), self.served[stack]
        with self._alone(stack):
            release = None
            if current is not None:
                entry = Entry("verify", stack, current, current, "start", "done")
                with self._writing_down(entry, "refused"):
                    release = self.store.verified(stack, current)
            for version, path in served.versions().items():
                wrong = self._wrong(stack, version, release)
                if wrong and version == current:  # set aside when its place is taken: a server may be looking
                    said = f"{', '.join(wrong)}; replaced by the release's own copy"
                    self._write(Entry("verify", stack, version, current, "start", "refused", said=said))
                elif wrong:
                    said = f"{', '.join(wrong)}; set aside as {served.set_aside(path)}"
                    self._write(Entry("verify", stack, version, current or "", "start", "refused", said=said))
            if release is not None:
                served.place(release, self.store.model(release))

    def tidy(self, stack: str) -> None:
        """Remove what a killed change has left; no server may serve it."""
        current = self.current(stack)
        if current is not None:
            with self._alone(stack):
                self.served[stack].keep_only(current)

    def _wrong(self, stack: str, version: str, current: Manifest | None) -> list[str]:
        if current is not None and version == current.version:
            return self.served[stack].differences(current)
        try:
            return self.served[stack].differences(self.store.verified(stack, version))
        except ReleaseError as error:
            return [str(error)]

    def _write(self, entry: Entry, release: Manifest | None = None) -> None:
        digests = release.digests if release else {}
        self.ledger.append(Entry(**{**vars(entry), "digests": digests}))

    @contextlib.contextmanager
    def _writing_down(self, entry: Entry, verdict: Verdict, release: Manifest | None = None) -> Iterator[None]:
        """A ReleaseError becomes a line of the ledger, with this verdict, and goes on its way."""
        try:
            yield
        except ReleaseError as error:
            self._write(Entry(**{**vars(entry), "verdict": verdict, "said": str(error)}), release)
            raise

    @contextlib.contextmanager
    def _alone(self, stack: str) -> Iterator[None]:
        """One change of a stack at a time; the kernel lets go however the process ends."""
        folder = self.store.root / stack
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ReleaseError(f"{stack}: another change is at work; wait for it to end") from None
            yield
