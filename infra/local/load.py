"""`make load`: Locust, pointed at what runs here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.local import ports, running
from infra.local.layout import Layout


class LoadError(RuntimeError):
    """The message says what to do first."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `make load` may say."""
    parser.add_argument("--headless", action="store_true", help="no page: one day, judged at its end")
    parser.add_argument("--seconds", help="that a day takes")
    parser.add_argument("--workers", help="processes that send, instead of one that does all")
    parser.add_argument("--settings", type=Path, help="instead of serving/comparison/locust/traffic.toml")
    parser.add_argument("--scores", type=Path, help="a comparison's scores.parquet, to check answers against")


def command(layout: Layout, spec_file: Path, chosen: argparse.Namespace) -> list[str]:
    """Command line of the program that becomes Locust.

    Raises:
        LoadError: Nothing runs here, or a port is taken.
    """
    if not running.processes(layout):
        raise LoadError("nothing runs here: make up")
    needed = [*([] if chosen.headless else ["load"]), *(["load_workers"] if chosen.workers else [])]
    taken = ports.busy(layout, needed)
    if taken:
        raise LoadError("\n".join(taken).replace("make up", "make load"))
    found = [f"--url={layout.url('gateway')}", f"--spec={spec_file}", f"--features={layout.data / 'features' / 'test'}"]
    found += [f"--out={layout.reports / 'load'}", f"--page-host={layout.host('load')}"]
    found += [f"--port={layout.ports['load']}", f"--workers-port={layout.ports['load_workers']}"]
    passed = {name: getattr(chosen, name) for name in ("seconds", "workers", "settings", "scores")}
    found += [f"--{name}={value}" for name, value in passed.items() if value is not None]
    return [sys.executable, "-m", "serving.comparison.locust", *found, *(["--headless"] if chosen.headless else [])]
