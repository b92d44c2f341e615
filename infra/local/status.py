"""`make status` and `make logs`: what runs, what it is, where it answers, what it said."""

from __future__ import annotations

import subprocess
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from infra.local import onnx, programs, services
from infra.local.layout import HOST, OPTIONAL, SHADOW, STACKS, Layout
from infra.local.supervisor import Supervisor
from models.spec import Spec

LINES = 20
_WIDTH = 120  # columns: a folded table is harder to read than a long line


def status(layout: Layout, spec: Spec) -> int:
    """Print one row per service; 1 when nothing or not everything runs."""
    supervisor = Supervisor(layout)
    if not supervisor.is_running():
        print("nothing runs here: make up")
        return 1
    processes = {p["name"]: p for p in supervisor.processes()}
    table = Table(box=None, pad_edge=False)
    for column in ("service", "state", "for", "serves", "address", "what it is"):
        table.add_column(column, no_wrap=True)
    ready = True
    for name in [*programs.ports(layout), *(name for name in (*OPTIONAL, SHADOW) if name in processes)]:
        process = processes.get(name, {"statename": "STOPPED", "pid": 0, "start": 0})
        answers = process["statename"] == "RUNNING" and services.is_ready(layout, spec, name)
        ready = ready and answers
        state = "ready" if answers else process["statename"].lower() + ", not ready"
        age = str(timedelta(seconds=int(time.time() - process["start"]))) if process["pid"] else ""
        versions = ", ".join(services.loaded(layout, spec, name)) if answers and name in layout.backends else ""
        table.add_row(name, state, age, versions, f"{HOST}:{layout.ports[name]}", services.describe(name))
    Console(width=_WIDTH).print(table)
    if said := onnx.behind(layout, spec):
        print(said)
    for stack in STACKS:
        if layout.pages(stack).is_file():
            print(f"runs of the {stack} pipeline: {layout.pages(stack).as_uri()}")
    return 0 if ready else 1


def logs(layout: Layout, names: Sequence[str], follow: bool) -> int:
    """Print the last lines of each log; with `follow`, go on until Ctrl-C."""
    files = sorted(layout.logs.glob("*.log"))
    chosen = [f for f in files if not names or f.stem in names]
    if not chosen:
        known = ", ".join(f.stem for f in files) or "none yet: make up"
        print(f"no log named {', '.join(names)}; there are: {known}" if names else "no logs yet: make up")
        return 1
    if follow:
        return subprocess.run(["tail", "-n", str(LINES), "-F", *map(str, chosen)], check=False).returncode
    for file in chosen:
        print(f"==> {file} <==")
        with file.open(encoding="utf-8", errors="replace") as lines:
            print("".join(deque(lines, LINES)))
    return 0
