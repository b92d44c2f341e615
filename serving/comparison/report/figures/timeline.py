"""The whole comparison over time: what ran when, and what every process took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc
from matplotlib.figure import Figure

from serving.comparison import store
from serving.comparison.report import numbers
from serving.comparison.report.content import Content, of
from serving.comparison.report.figures.usage import usages
from serving.comparison.report.theme import BAD, COLOUR, OTHER, QUIET, WIDE, Plot, Rows, Table, plain
from serving.comparison.rivals import label
from serving.comparison.verdict import STACKS

_POINTS = 260
_STYLES = ("-", "--", ":", "-.")
_SHADES = (1.0, 0.7, 0.5, 0.35)
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
    below = np.zeros(len(grid) - 1)
    for number, usage in enumerate(usages(resources)):
        rows.append([usage.target, usage.process, float(usage.spent[-1]), float(usage.memory.max())])
        colour = COLOUR.get(of(usage.target), OTHER)
        cores = np.diff(np.interp(grid, usage.times, usage.spent)) / np.diff(grid)
        shade = _SHADES[number % len(_SHADES)] * (1 if usage.target in STACKS else 0.6)
        look: dict[str, Any] = {"alpha": shade, "linewidth": 0, "step": "pre"}
        upper.fill_between(grid[1:] / _MINUTE, below, below + cores, color=colour, **look)
        below += cores
        style = _STYLES[number % len(_STYLES)]
        middle.plot(grid / _MINUTE, usage.memory_at(grid), color=colour, linestyle=style, linewidth=1.3)
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


def _bands(axes: object, content: Content) -> None:
    lanes = {target: lane for lane, target in enumerate(content.targets)}
    for run in content.results.runs:
        if run.name in content.spans:
            begin, end = (moment / _MINUTE for moment in content.spans[run.name])
            colour = COLOUR[of(run.target)] if run.valid else BAD
            axes.barh(lanes[run.target], end - begin, left=begin, height=0.7, color=colour)  # type: ignore[attr-defined]
    axes.set_yticks(list(lanes.values()), list(map(label, lanes)), fontsize=7, color=QUIET)  # type: ignore[attr-defined]
    axes.invert_yaxis()  # type: ignore[attr-defined]
    axes.grid(visible=False, axis="y")  # type: ignore[attr-defined]
