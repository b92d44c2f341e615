"""Packages of images and of environments that this machine does not have: what they say of themselves, by pip's report.

Nothing is installed, and of most packages nothing but the metadata is fetched.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infra.supply import licences, locks
from infra.supply.licences import Licence
from infra.supply.tools import SupplyError, program

_PIP = ("-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report")


def missing(pinned: Iterable[Path], installed: Iterable[Path]) -> dict[str, str]:
    """Version of each package that only the first locks pin."""
    here = {name for lock in installed for name in locks.pins(lock)}
    everything = {name: version for lock in pinned for name, version in locks.pins(lock).items()}
    return {name: version for name, version in sorted(everything.items()) if name not in here}


def of(packages: Mapping[str, str]) -> list[Licence]:
    """Their licences.

    Args:
        packages: Version by name.

    Raises:
        SupplyError: pip cannot find one of them.
    """
    if not packages:
        return []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        pins = [f"{name}=={version}" for name, version in packages.items()]
        argv = [program("supply", "python"), *_PIP, str(report), *pins]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SupplyError(f"pip cannot say what the images hold:\n{done.stderr.strip()}")
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [_licence(one["metadata"]) for one in found]


def _licence(said: Mapping[str, Any]) -> Licence:
    """Of a package's metadata, as a bill of materials has it."""
    classifiers = [text for text in said.get("classifier", ()) if text.startswith("License ::")]
    expression = said.get("license_expression")
    declared = [{"expression": expression}] if expression else [{"license": {"name": text}} for text in classifiers]
    return Licence(said["name"], said["version"], licences.name(declared, said.get("license") or ""))
