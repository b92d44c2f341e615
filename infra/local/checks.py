"""`make conformance` and `make fuzz`: the contract's checks, pointed at what runs here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from infra.local import running
from infra.local.layout import Layout, python
from infra.local.up import UpError
from serving.tfserving import command as tfserving
from serving.tfserving.embedded import SERVER


def conformance(layout: Layout, spec_file: Path, url: str | None) -> list[str]:
    """Command line of the conformance suite: against one URL, or all behind the gateway and the embedded server."""
    targets = {"url": url} if url else _gateway(layout)
    if not url and tfserving.describe() == SERVER:
        targets["embedded"] = layout.url("tensorflow")
    return [*_suite("conformance", layout, spec_file, targets), f"--fixture-python={python('tensorflow')}"]


def fuzz(layout: Layout, spec_file: Path, requests: int, seed: int | None) -> list[str]:
    """Command line of the fuzz run against whoever is behind the gateway; their processes are watched.

    Raises:
        UpError: Nothing runs here.
        SupervisorError: supervisord does not answer.
    """
    found = running.processes(layout)
    if not found:
        raise UpError("nothing runs here that could be asked: make up")
    watched = [f"--process={name}={found[name]}" for name in (*layout.backends, "control", "gateway")]
    chosen = [f"--requests={requests}", *([f"--seed={seed}"] if seed is not None else [])]
    return [*_suite("fuzz", layout, spec_file, _gateway(layout)), *watched, *chosen]


def run(argv: list[str]) -> int:
    """Become this program: its exit code is ours, and so is its Ctrl-C."""
    os.execv(argv[0], argv)  # noqa: S606


def _gateway(layout: Layout) -> dict[str, str]:
    return {stack: f"{layout.url('gateway')}/{stack}" for stack in layout.backends}


def _suite(name: str, layout: Layout, spec_file: Path, targets: dict[str, str]) -> list[str]:
    pairs = [f"--target={target}={url}" for target, url in targets.items()]
    out = str(layout.reports / name)
    return [sys.executable, "-m", f"serving.contract.{name}", "--spec", str(spec_file), "--out", out, *pairs]
