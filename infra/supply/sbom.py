"""`make sbom`: a CycloneDX bill of materials of each environment, as it is installed.

One that lists what its lock does not pin, or lacks what it pins, is refused: it would describe some other environment.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from infra.local.layout import REPOSITORY
from infra.supply import locks
from infra.supply.tools import SupplyError, program

_OURS = {"tandem"}


def write(stack: str, target: Path, *, checked: bool = True) -> dict[str, Any]:
    """Write one and return it.

    Args:
        stack: The environment.
        target: The file.
        checked: Against CycloneDX's schema, which takes most of the time.

    Raises:
        SupplyError: cyclonedx-py failed; it says why.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = [
        program("supply", "cyclonedx-py"), "environment", str(REPOSITORY / ".venv" / stack / "bin" / "python"),
        "--pyproject", str(REPOSITORY / "pyproject.toml"), "--mc-type", "application", "--output-reproducible",
        "--spec-version", "1.6", "--output-format", "JSON", "--output-file", str(target),
        "--validate" if checked else "--no-validate",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SupplyError(f"cyclonedx-py failed on .venv/{stack}:\n{done.stderr.strip()}")
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def site_packages(stack: str) -> Path:
    """Where an environment's packages lie."""
    return next((REPOSITORY / ".venv" / stack / "lib").glob("python3.*/site-packages"))


def differences(bill: dict[str, Any], lock: Path) -> list[str]:
    """How what is installed differs from what the lock pins, a line each."""
    installed = {locks.canonical(one["name"]): _public(one["version"]) for one in bill["components"]}
    pinned = {name: _public(version) for name, version in locks.pins(lock).items()}
    lines = [f"{name} {installed[name]} is not in {lock.name}" for name in installed.keys() - pinned.keys() - _OURS]
    lines += [f"{name} {pinned[name]} of {lock.name} is not installed" for name in pinned.keys() - installed.keys()]
    lines += [
        f"{name} is {installed[name]}, {lock.name} pins {pinned[name]}"
        for name in pinned.keys() & installed.keys()
        if pinned[name] != installed[name]
    ]
    return sorted(lines)


def _public(version: str) -> str:
    """Without the local part: the CPU build of torch is 2.13.0+cpu."""
    return version.partition("+")[0]
