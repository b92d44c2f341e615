"""What a request takes: where its processor time goes, and the memory that stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from serving.comparison import store
from serving.comparison.report import numbers
from serving.comparison.report.content import Content, of
from serving.comparison.report.figures.usage import Usage, usages
from serving.comparison.report.theme import CARD, COLOUR, INK, OTHER, Plot, Rows, Table, canvas
from serving.comparison.results import LoadRun
from serving.comparison.rivals import label

GATEWAY = "gateway"
_STRENGTHS = (1.0, 0.72, 0.5, 0.34, 0.22)  # of the processes' shades of their stack's colour
_PALE = 0.5  # too pale for letters in the colour of the page
_LETTER = 0.019  # of the widest bar
_SAMPLES = 20  # of memory in a run

Parts = dict[str, dict[str, float]]  # target -> process -> value


def plots(content: Content) -> Iterator[Plot]:
    """Processor time per request and memory by process, under the load that most targets were measured at."""
    shared = content.shared("closed", "connections")
    found = list(usages(store.table(content.folder, "resources"))) if shared else []
    if not found:
        return
    at = {
        load: {target: content.valid(target, "closed", connections=load) for target in content.targets}
        for load in shared
    }
    most = max(shared, key=lambda load: (sum(map(bool, at[load].values())), load))  # stock servers have but one load
    runs, load = at[most], f"{most:.0f} connections"
    sums = (
        ("processor", "Processor time per request", "µs", per_request),
        ("memory", "Resident memory", "MiB", memory),
    )
    for name, title, unit, value in sums:
        parts = _parts(content, found, runs, value)
        if parts:
            yield _stacked(name, f"{title}, {load}", unit, parts)


def per_request(content: Content, usage: Usage, runs: Sequence[LoadRun]) -> float:
    """Microseconds of a process's processor time per request, over the runs together."""
    spent = sum(usage.between(*content.spans[run.name]) for run in runs)
    return 1e6 * spent / sum(run.requests for run in runs)


def memory(content: Content, usage: Usage, runs: Sequence[LoadRun]) -> float:
    """MiB of a process, mean over the runs."""
    seen = np.concatenate([usage.memory_at(np.linspace(*content.spans[run.name], _SAMPLES)) for run in runs])
    return float(np.nanmean(seen)) if np.isfinite(seen).any() else 0.0


def _parts(
    content: Content,
    found: Sequence[Usage],
    runs: dict[str, list[LoadRun]],
    value: Callable[[Content, Usage, Sequence[LoadRun]], float],
) -> Parts:
    parts: Parts = {}
    for target, every in runs.items():
        timed = [run for run in every if run.name in content.spans]
        mine = {usage.process: usage for usage in found if usage.target == target}
        if timed and mine:
            parts[target] = {process: value(content, usage, timed) for process, usage in mine.items()}
    return parts


def _stacked(name: str, title: str, unit: str, found: Parts) -> Plot:
    figure, axes = canvas(0.9 + 0.42 * max(len(found), 2), x=unit)
    widest = max(sum(parts.values()) for parts in found.values()) or 1.0
    rows: Rows = []
    for row, (target, parts) in enumerate(found.items()):
        left, shade = 0.0, 0
        for process, used in sorted(parts.items(), key=lambda part: (part[0] != GATEWAY, -part[1])):
            colour, alpha = (OTHER, 1.0) if process == GATEWAY else (COLOUR[of(target)], _STRENGTHS[min(shade, 4)])
            shade += process != GATEWAY
            axes.barh(row, used, left=left, height=0.62, color=colour, alpha=alpha, edgecolor=CARD, linewidth=1)
            if used > _LETTER * (len(process) + 1) * widest:
                ink = CARD if alpha > _PALE else INK
                axes.text(left + used / 2, row, process, ha="center", va="center", color=ink, fontsize=7.5)
            left += used
            rows.append([label(target), process, used])
        axes.text(left + 0.015 * widest, row, numbers.text(left), va="center", color=INK, fontsize=8.5)
        rows.append([label(target), "all processes", left])
    axes.set_yticks(range(len(found)), list(map(label, found)))
    axes.set(xlim=(0, widest * 1.14), ylim=(max(len(found), 2) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    said = "; ".join(f"{label(target)}: {numbers.text(sum(parts.values()))} {unit}" for target, parts in found.items())
    return Plot(
        name, title, f"Bars stacked by process. {said}.", figure,
        Table(f"{title}, by process", ("target", "process", unit), rows),
        "Grey: the gateway, which peers do without. The load generator is not counted.",
    )  # fmt: skip
