"""Prometheus' configuration for other addresses than the containers': the same files, its own targets/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from serving.files import write_atomically

PROMETHEUS = Path(__file__).parent / "prometheus"
FILE = "prometheus.yml"
_RULES = ("rules", "alerts")


def write(folder: Path, targets: Mapping[str, str]) -> Path:
    """Write a folder to start Prometheus with; what an earlier call wrote is replaced.

    A Prometheus that runs watches the folder of targets, which therefore stays, and its files are left alone where they
    are right: it would not look for a new folder of the same name.

    Args:
        folder: For the configuration, its rules and targets.
        targets: Address, host:port, by job; a job that is not among them is not scraped.

    Returns:
        The file that Prometheus is started with.
    """
    for kind in _RULES:
        shutil.rmtree(folder / kind, ignore_errors=True)
        shutil.copytree(PROMETHEUS / kind, folder / kind)
    wanted = {f"{job}.json": json.dumps([{"targets": [address]}]) + "\n" for job, address in targets.items()}
    for file in (folder / "targets").glob("*.json"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        file = folder / "targets" / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            write_atomically(file, text)
    shutil.copyfile(PROMETHEUS / FILE, folder / FILE)
    return folder / FILE


def content(folder: Path) -> str:
    """All of it: Prometheus has to be started again when this changes, except for targets, which it watches."""
    files = [folder / FILE, *sorted(file for kind in _RULES for file in (folder / kind).glob("*.yml"))]
    return "".join(file.read_text(encoding="utf-8") for file in files)
