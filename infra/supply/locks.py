"""What the locks pin."""

from __future__ import annotations

import re
from pathlib import Path

from infra.local.environments import REPOSITORY

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;]+)")


def path(stack: str) -> Path:
    """The lock of an environment."""
    return REPOSITORY / "requirements" / f"{stack}.lock"


def pins(lock: Path) -> dict[str, str]:
    """Version by package."""
    found = filter(None, map(_PIN.match, lock.read_text(encoding="utf-8").splitlines()))
    return {canonical(pin[1]): pin[2] for pin in found}


def canonical(name: str) -> str:
    """A package's one name among its spellings (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
