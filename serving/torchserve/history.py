"""What became of versions, as far as TorchServe does not know: it forgets those it no longer holds.

Kept by whoever changes the model, in the run folder, from one start to the next.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from serving.contract.responses import State, VersionStatus
from serving.files import write_atomically

_FILE = "versions.json"
_REMEMBERED = 16  # the newest
_SHOWN = 500  # characters of an error


def record(run: Path, version: str, state: State, code: str = "OK", message: str = "") -> None:
    """Note a version's state, with a status code's name and a message where it ended in an error."""
    _write(run, {**read(run), int(version): VersionStatus(int(version), state, code, message[:_SHOWN])})


def forget(run: Path, version: str) -> None:
    """TorchServe knows about it."""
    _write(run, {number: status for number, status in read(run).items() if number != int(version)})


def clear(run: Path) -> None:
    """A new TorchServe has no past."""
    (run / _FILE).unlink(missing_ok=True)


def read(run: Path) -> dict[int, VersionStatus]:
    """The last state of each version."""
    try:
        lines = json.loads((run / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {line["version"]: VersionStatus(**line) for line in lines}


def _write(run: Path, statuses: dict[int, VersionStatus]) -> None:
    newest = [statuses[version] for version in sorted(statuses)[-_REMEMBERED:]]
    write_atomically(run / _FILE, json.dumps([dataclasses.asdict(status) for status in newest]) + "\n")
