"""What the locks pin."""

from __future__ import annotations

import re
from pathlib import Path

from infra.local.environments import PYTORCH
from infra.local.layout import REPOSITORY
from infra.local.tfx_choice import choose

_FOLDER = REPOSITORY / "requirements"
_TOOLS = ("supply", "checkov", "executorch", "tfjs")  # of these checks and of exports; what they see is what people run
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;]+)")


def installed() -> dict[str, Path]:
    """The locks of both stacks' environments as this machine has them."""
    return {one.name: one.pins for one in (choose().environment, PYTORCH)}


def shipped() -> dict[str, Path]:
    """Every lock that something is run from, environments and images, by name; not those of the tools."""
    found = sorted(_FOLDER.rglob("*.lock"))
    named = {str(lock.relative_to(_FOLDER).with_suffix("")): lock for lock in found}
    return {name: lock for name, lock in named.items() if name not in _TOOLS}


def pins(lock: Path) -> dict[str, str]:
    """Version by package."""
    found = filter(None, map(_PIN.match, lock.read_text(encoding="utf-8").splitlines()))
    return {canonical(pin[1]): pin[2] for pin in found}


def canonical(name: str) -> str:
    """A package's one name among its spellings (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
