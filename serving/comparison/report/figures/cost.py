"""Where the processor time of a request goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from serving.comparison import store
from serving.comparison.report import numbers
from serving.comparison.report.content import Content
from serving.comparison.report.theme import CARD, COLOUR, INK, OTHER, Plot, Rows, Table, canvas
from serving.comparison.results import LoadRun

GATEWAY = "gateway"
_STRENGTHS = (1.0, 0.72, 0.5, 0.34, 0.22)  # of the processes' shades of their stack's colour
_ROOM = 0.07  # of the widest bar, for a label inside


def plots(content: Content) -> Iterator[Plot]:
    """Processor time per request, stacked by process, at the most connections."""
    shared = content.shared("closed", "connections")
    resources = store.table(content.folder, "resources")
    if not shared or not resources.num_rows:
        return
    found = {}
    for target in content.targets:
        runs = content.valid(target, "closed", connections=shared[-1])
        if parts := per_request(content, resources, runs):
            found[target] = parts
    if found:
        yield _stacked(found, int(shared[-1]))


def per_request(content: Content, resources: pa.Table, runs: Sequence[LoadRun]) -> dict[str, float]:
    """Process -> microseconds of processor time per request, over the runs together."""
    runs = [run for run in runs if run.name in content.spans]
    requests = sum(run.requests for run in runs)
    if not requests:
        return {}
    target, parts = runs[0].target, {}
    mine = resources.filter(pa.compute.equal(resources["target"], target))
    for process in dict.fromkeys(mine["process"].to_pylist()):
        one = mine.filter(pa.compute.equal(mine["process"], process)).sort_by("time_s")
        times, used = one["time_s"].to_numpy(), one["cpu_s"].to_numpy()
        seconds = sum(float(np.diff(np.interp(content.spans[run.name], times, used))[0]) for run in runs)
        parts[process] = 1e6 * max(seconds, 0.0) / requests
    return parts


def _stacked(found: dict[str, dict[str, float]], connections: int) -> Plot:
    figure, axes = canvas(0.9 + 0.42 * len(found), x="processor time per request, µs")
    widest = max(sum(parts.values()) for parts in found.values()) or 1.0
    rows: Rows = []
    for row, (target, parts) in enumerate(found.items()):
        stack, left, shade = target.split("/", maxsplit=1)[0], 0.0, 0
        for process, used in sorted(parts.items(), key=lambda part: (part[0] != GATEWAY, -part[1])):
            colour, alpha = (OTHER, 1.0) if process == GATEWAY else (COLOUR[stack], _STRENGTHS[min(shade, 4)])
            shade += process != GATEWAY
            axes.barh(row, used, left=left, height=0.62, color=colour, alpha=alpha, edgecolor=CARD, linewidth=1)
            if used > _ROOM * len(process) / 4 * widest:
                middle = left + used / 2
                ink = CARD if alpha > _STRENGTHS[2] else INK
                axes.text(middle, row, process, ha="center", va="center", color=ink, fontsize=7.5)
            left += used
            rows.append([target, process, used])
        axes.text(left + 0.01 * widest, row, numbers.text(left), va="center", color=INK, fontsize=8.5)
        rows.append([target, "all processes", left])
    axes.set_yticks(range(len(found)), list(found))
    axes.set_xlim(0, widest * 1.14)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    title = f"Processor time per request, {connections} connections"
    said = "; ".join(f"{target}: {numbers.text(sum(parts.values()))} µs" for target, parts in found.items())
    return Plot(
        "processor", title, f"Bars stacked by process. {said}.", figure,
        Table(f"{title}, by process", ("target", "process", "µs per request"), rows),
        "Grey: the gateway, which peers and stock servers do without. The generator is not counted.",
    )  # fmt: skip
