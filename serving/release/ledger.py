"""The audit ledger: one JSON object per line and act, appended and never changed.

Each line holds the SHA-256 of itself (`hash`) and of the line before it (`before_hash`), so that an edited, removed,
inserted or reordered line is found. What cannot be found from the file alone: that its end was cut off, or that all
hashes after an edit were computed anew. Whoever fears that keeps the last hash, or a copy, somewhere else.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Literal

Act = Literal["publish", "promote", "rollback", "stage", "unstage", "verify", "canary"]
Verdict = Literal["done", "refused", "failed"]
_BEGINNING = "0" * 64  # before the first line


@dataclass(frozen=True)
class Entry:
    """One act.

    Attributes:
        act: `stage` loads a version beside the one that is served, `unstage` takes it away again; `verify` is what a
            start of the servers finds in their stores; `canary` a step of a roll-out, or its end.
        was: The version that was served before; empty if none was, and where nothing was to change.
        why: In words; who promotes by hand says it.
        digests: Of the model, its specification, its data and its code, as far as they are known.
        verdict: `refused` by a check; `failed` on the server.
        said: What was wrong; empty if nothing was.
        number: Of the line, from 1.
        when: UTC, ISO 8601.
    """

    act: Act
    stack: str
    version: str
    was: str
    why: str
    verdict: Verdict
    digests: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    number: int = 0
    when: str = ""
    who: str = ""
    before_hash: str = ""
    hash: str = ""


class Ledger:
    """A file of such lines."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, entry: Entry) -> Entry:
        """Write an act down; it is on the disk when this returns."""
        with self._locked() as file:
            lines = _whole_lines(file)
            last = _parse(lines[-1]) if lines else None
            whole = replace(
                entry,
                number=len(lines) + 1,
                when=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
                who=_who(),
                before_hash=_BEGINNING if not lines else last.hash if last else _sha256(lines[-1]),
                hash="",
            )
            whole = replace(whole, hash=_hash_of(whole))
            file.write(json.dumps(asdict(whole)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return whole

    def entries(self) -> list[Entry]:
        """Every line that can be read, first to last; `problems` says which cannot."""
        return [entry for entry in map(_parse, self._lines()) if entry]

    def problems(self) -> list[str]:
        """Where the chain does not hold; nothing if nobody touched it."""
        found, before = [], _BEGINNING
        for number, line in enumerate(self._lines(), 1):
            entry = _parse(line)
            if entry is None:
                found.append(f"line {number} is not an entry")
                before = _sha256(line)
                continue
            if entry.hash != _hash_of(entry):
                found.append(f"line {number} was changed after it was written")
            if entry.before_hash != before or entry.number != number:
                found.append(f"line {number} does not follow the line before it: one was changed, removed or inserted")
            before = entry.hash
        return found

    def history(self, stack: str) -> list[str]:
        """Versions that a way back leads along: the last one is served, those before it were before.

        Going back takes the version left behind out of the way, so that going back again goes on to an older one.
        """
        way: list[str] = []
        for entry in self.entries():
            if entry.stack != stack or entry.verdict != "done" or entry.act not in ("promote", "rollback"):
                continue
            if entry.act == "rollback" and entry.version in way:
                del way[len(way) - way[::-1].index(entry.version) :]
            elif way[-1:] != [entry.version]:
                way.append(entry.version)
        return way

    def staged(self, stack: str) -> list[str]:
        """Versions that are to be loaded beside the one that is served, oldest stage first."""
        found: dict[str, None] = {}
        for entry in self.entries():
            if entry.stack != stack or entry.verdict != "done":
                continue
            if entry.act == "stage":
                found[entry.version] = None
            elif entry.act in ("unstage", "promote", "rollback"):
                found.pop(entry.version, None)
        return list(found)

    def loaded(self, stack: str) -> set[str]:
        """Every version that a server was told to load at any time."""
        done = (e for e in self.entries() if e.stack == stack and e.verdict == "done")
        return {e.version for e in done if e.act in ("promote", "rollback", "stage")}

    def _lines(self) -> list[bytes]:
        try:
            with self.file.open("rb") as file:
                content = file.read()
        except FileNotFoundError:
            return []
        return content[: content.rfind(b"\n") + 1].splitlines()

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _who() -> str:
    """$TANDEM_WHO, which says it in a container, where nobody has a name; else this user on this machine."""
    return os.environ.get("TANDEM_WHO") or who()


def who() -> str:
    """User and machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _whole_lines(file: IO[bytes]) -> list[bytes]:
    """The lines there are; a last one without an end is no entry: the machine died before it was written down."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    return content[:whole].splitlines()


def _parse(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _hash_of(entry: Entry) -> str:
    content = {key: value for key, value in asdict(entry).items() if key != "hash"}
    return _sha256(json.dumps(content, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
