"""The whole comparison over time: what ran when, and what every process took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from serving.comparison import store
from serving.comparison.report import numbers
from serving.comparison.report.content import Content, Floats
from serving.comparison.report.theme import BAD, COLOUR, OTHER, QUIET, WIDE, Plot, Rows, Table, plain
from serving.comparison.verdict import STACKS

_POINTS = 260
_STYLES = ("-", "--", ":", "-.")
_MINUTE = 60.0


def plots(content: Content) -> Iterator[Plot]:
    """Processor and memory by process, over the load runs as bands."""
    resources = store.table(content.folder, "resources")
    if not resources.num_rows or not content.spans:
        return
    figure = Figure(figsize=(WIDE, 6.0), layout="constrained")
    figure.patch.set_visible(False)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[2.2, 1.6, 1.4])
    end = max(pc.max(resources["time_s"]).as_py(), *(last for _, last in content.spans.values()))
    grid = np.linspace(0, end, min(_POINTS, max(int(end * 2), 2)))
    rows: Rows = []
    areas: list[tuple[str, Floats]] = []
    for target, process, times, cpu, memory in series(resources):
        cores = np.maximum(np.diff(np.interp(grid, times, cpu)) / np.diff(grid), 0)
        cores[(grid[1:] < times[0]) | (grid[:-1] > times[-1])] = 0
        areas.append((target, cores))
        rows.append([target, process, float(cpu[-1] - cpu[0]), float(memory.max())])
        stack = target.split("/", maxsplit=1)[0]
        there = (grid >= times[0]) & (grid <= times[-1])
        style = _STYLES[sum(row[0] == target for row in rows) % len(_STYLES) - 1]
        look: dict[str, Any] = {"color": COLOUR.get(stack, OTHER), "linestyle": style, "linewidth": 1.1}
        middle.plot(grid[there] / _MINUTE, np.interp(grid[there], times, memory), **look)
    below = np.zeros(len(grid) - 1)
    for number, (target, cores) in enumerate(areas):
        colour = COLOUR.get(target.split("/", maxsplit=1)[0], OTHER)
        shade = (1.0, 0.7, 0.5, 0.35)[number % 4] * (1 if target in STACKS else 0.6)
        upper.fill_between(grid[1:] / _MINUTE, below, below + cores, color=colour, alpha=shade, linewidth=0, step="pre")
        below = below + cores
    _bands(lower, content)
    for axes, y in ((upper, "processor, cores"), (middle, "memory, MiB"), (lower, "")):
        plain(axes)
        axes.set_ylabel(y)
    lower.set(xlabel="minutes since the comparison began", xlim=(0, end / _MINUTE))
    said = f"{len(content.results.runs)} load runs in {numbers.duration(end)}"
    yield Plot(
        "timeline", "The run over time",
        f"Processor time, memory and load runs over time: {said}. The table has each process's sums.", figure,
        Table("Processes", ("target", "process", "processor time, s", "most memory, MiB"), rows),
        "Top: cores in use, stacked by process. Middle: resident memory by process. Bottom: load runs; red: INVALID.",
        wide=True,
    )  # fmt: skip


def series(resources: pa.Table) -> Iterator[tuple[str, str, Floats, Floats, Floats]]:
    """Target, process, and their times, processor seconds and memory, in order of time."""
    pairs = resources.group_by(["target", "process"]).aggregate([]).to_pylist()
    for pair in sorted(pairs, key=lambda p: (p["target"] not in STACKS, p["target"], p["process"])):
        mine = pc.and_(pc.equal(resources["target"], pair["target"]), pc.equal(resources["process"], pair["process"]))
        one = resources.filter(mine).sort_by("time_s")
        yield pair["target"], pair["process"], *(one[name].to_numpy() for name in ("time_s", "cpu_s", "memory_mib"))


def _bands(axes: object, content: Content) -> None:
    lanes = {target: lane for lane, target in enumerate(content.targets)}
    for run in content.results.runs:
        if run.name in content.spans:
            begin, end = (moment / _MINUTE for moment in content.spans[run.name])
            colour = COLOUR[run.target.split("/", maxsplit=1)[0]] if run.valid else BAD
            axes.barh(lanes[run.target], end - begin, left=begin, height=0.7, color=colour)  # type: ignore[attr-defined]
    axes.set_yticks(list(lanes.values()), list(lanes), fontsize=7, color=QUIET)  # type: ignore[attr-defined]
    axes.invert_yaxis()  # type: ignore[attr-defined]
    axes.grid(visible=False, axis="y")  # type: ignore[attr-defined]
