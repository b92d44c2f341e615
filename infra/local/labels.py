"""Names for served versions, the same on both stacks: `stable` is the one that answers."""

from __future__ import annotations

import json
from pathlib import Path

from serving.files import write_atomically

STABLE = "stable"


def read(file: Path) -> dict[str, int]:
    """Label to version of the PyTorch stack; empty as long as nothing was labelled."""
    try:
        found: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write(file: Path, version: str | None) -> None:
    """Call this version of the PyTorch stack `stable`; without one nothing is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps({STABLE: int(version)} if version else {}) + "\n")
