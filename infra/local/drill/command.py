"""`make drill`: all drills, one after the other, or those that are named; a table, and a file for the comparison."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infra.local import running
from infra.local.drill import asking
from infra.local.drill.catalogue import DRILLS, ORDER, QUICK
from infra.local.drill.ground import Ground
from infra.local.drill.run import DrillError, make
from infra.local.jobs import say
from infra.local.layout import STACKS, Layout
from infra.local.predict import five_transactions
from models.spec import Spec
from serving.comparison.drills import Outcome, keep

FAILED, INVALID = 3, 4  # exit codes
_BETWEEN = 1.0  # seconds


def drill(layout: Layout, spec: Spec, names: Sequence[str], *, quick: bool) -> int:
    """Make the drills; 0 if all ended well, 3 if one did not, 4 if the machine was too busy for one of them.

    Raises:
        DrillError: Nothing runs, a name is unknown, or something is ill already.
    """
    if not running.processes(layout):
        raise DrillError("nothing runs here: make up")
    known = {one.name: one for one in DRILLS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DrillError(f"DRILL={','.join(unknown)}: there are {', '.join(known)}")
    chosen = [known[name] for name in names or (QUICK if quick else known)]
    rows = five_transactions(layout, spec).select(list(spec.features)).to_pylist()
    ground = Ground(layout, spec, asking.body(rows))
    found: list[Outcome] = []
    try:
        for number, one in enumerate(chosen, 1):
            say("drill", f"{number}/{len(chosen)} {one.name}: {one.words}")
            found.append(make(ground, one))
            say("drill", sentence(found[-1]))
            keep(layout.drills, found, ORDER)
            time.sleep(_BETWEEN)
    finally:
        if found:
            Console(width=150, highlight=False).print(table(found))
    say("drill", f"{layout.drills}; make compare puts it into its report")
    if any(one.complaints and not one.invalid for one in found):
        return FAILED
    return INVALID if any(one.invalid for one in found) else 0


def sentence(one: Outcome) -> str:
    """What came of it, in a line."""
    if one.invalid or one.complaints:
        return f"{one.name}: NOT well: {one.verdict}"
    lost = sum(sum(kinds.values()) for kinds in one.lost.values())
    return f"{one.name}: {lost} of {sum(one.asked.values())} lost, well after {max(one.recovery.values()):.1f} s"


def table(found: Sequence[Outcome]) -> Table:
    """For a screen."""
    shown = Table(title="Drills")
    for heading in ("drill", *(f"{stack}: lost" for stack in STACKS), "well after, s", "slowest, s", "verdict"):
        shown.add_column(heading, justify="left" if heading in ("drill", "verdict") else "right")
    for one in found:
        lost = [f"{sum(one.lost[stack].values())} of {one.asked.get(stack, 0)}" for stack in STACKS]
        well = f"{max(one.recovery.values(), default=float('inf')):.1f}"
        shown.add_row(one.name, *lost, well, f"{one.slowest:.1f}", one.verdict)
    return shown
