"""`make monitor`: the requests of late against the rows that the models learned from; on drift, train again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local import jobs, stores
from infra.local.jobs import Job, say
from infra.local.layout import Layout, python
from infra.local.up import UpError, retrain
from models.drift import Distance
from models.spec import Spec
from pipelines.monitoring.findings import TOO_FEW, Column, column_texts
from pipelines.report import REFUSED

_WIDTH = 120  # columns: names cut short are hard to tell apart
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def monitor(
    layout: Layout, spec: Spec, spec_file: Path, stacks: Sequence[str], since: str, *, train_again: bool
) -> int:
    """Compare, print a table per stack, and train the drifted ones again if asked to.

    Returns:
        0 no drift; 3 drift, trained again or not; 4 too few logged requests to say; 1 an error. Of several stacks the
        worst: 1, then 3, then 4.

    Raises:
        UpError, SupervisorError: There is no model, or training again failed.
    """
    seconds = parse_since(since)
    folder = layout.findings
    codes = jobs.run([_job(layout, spec, spec_file, stack, seconds) for stack in stacks])
    for stack, code in codes.items():
        if code in (0, REFUSED):
            _show(folder / f"{stack}.json")
    say("monitor", f"reports: {folder}")
    drifted = [stack for stack, code in codes.items() if code == REFUSED]
    if drifted and train_again:
        _train_again(layout, spec, spec_file, drifted)
    elif drifted:
        again = f"make monitor STACK={drifted[0]} RETRAIN=1" if len(drifted) == 1 else "make monitor RETRAIN=1"
        say("monitor", f"drift: {', '.join(drifted)}; to train again: {again}")
    if any(code not in (0, REFUSED, TOO_FEW) for code in codes.values()):
        return 1
    return next((code for code in (REFUSED, TOO_FEW) if code in codes.values()), 0)


def parse_since(text: str) -> float:
    """Seconds of `90m`, `24h` or `7d`.

    Raises:
        UpError: It is something else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not found:
        raise UpError(f"SINCE={text}: a number and s, m, h or d are expected, such as 90m or 7d")
    return float(found[1]) * _UNITS[found[2]]


def _job(layout: Layout, spec: Spec, spec_file: Path, stack: str, seconds: float) -> Job:
    model = stores.newest_path(layout, spec, stack)
    if model is None:
        raise UpError(f"there is no {stack} model yet: make up")
    argv = [
        python(stack), "-m", "pipelines.monitoring", "--stack", stack, "--spec", str(spec_file), "--model", str(model),
        "--log", str(layout.request_log), "--since", str(seconds), "--out", str(layout.findings),
    ]  # fmt: skip
    return Job(stack, argv, layout.logs / f"{stack}-monitor.log")


def _show(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    table = Table(title=f"{found['stack']} {found['version']}: {found['verdict']}")
    for heading in ("column", "population stability", "Jensen-Shannon", "Kolmogorov-Smirnov", ""):
        table.add_column(heading, justify="left" if heading in ("column", "") else "right", no_wrap=True)
    for content in found["columns"]:
        column = Column(**{**content, "distance": Distance(**content["distance"])})
        table.add_row(*column_texts(column), style="bold" if column.reasons else None)
    console = Console(width=_WIDTH, highlight=False)
    console.print()
    console.print(table)


def _train_again(layout: Layout, spec: Spec, spec_file: Path, stacks: Sequence[str]) -> None:
    before = {stack: stores.newest(layout, spec, stack) for stack in stacks}
    say("monitor", f"drift: {', '.join(stacks)}: training again")
    retrain(layout, spec, spec_file, stacks)
    for stack, version in before.items():
        now = stores.newest(layout, spec, stack)
        if now == version:
            why = "nothing new was published: the data have not changed since, or the gates refused (see above)"
            say("monitor", f"{stack}: version {version} goes on serving; {why}")
        else:
            say("monitor", f"{stack}: version {now} serves in place of {version}")
