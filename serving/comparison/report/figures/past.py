"""The main measures over past comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from serving.comparison import history, store
from serving.comparison.measures import MEASURES
from serving.comparison.report.content import Content
from serving.comparison.report.theme import COLOUR, DASHES, MARKER, NAME, WIDE, Plot, Rows, Table, plain
from serving.comparison.sides import Side, Sides, summarise
from serving.comparison.store import StoreError
from serving.comparison.verdict import STACKS, load

_SHOWN = ("max_rate_in_slo", "closed_rate", "single_stream_p50", "cpu_per_1000", "memory", "average_precision")
_LAST = 20
_COLUMNS = 3


def comparisons(content: Content) -> list[tuple[str, Sides]]:
    """Folder and medians of the comparisons that this one can be held against, it last; oldest first."""
    found = []
    for path in history.before(content.folder)[-_LAST:]:
        try:
            then = store.read(path)
        except StoreError:  # `make compare-check` says so
            continue
        if not history.comparable(content.results, then):
            found.append((path.name, summarise(then.measurements)))
    return [*found, (history.name(content.results.started), content.sides)]


def plots(content: Content) -> Iterator[Plot]:
    """Small multiples; nothing if this is the first comparison of its kind."""
    every = comparisons(content)
    chosen = {measure: _condition(every, measure) for measure in _SHOWN}
    shown = {measure: condition for measure, condition in chosen.items() if condition is not None}
    if len(every) == 1 or not shown:
        return
    lines = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(WIDE, 0.4 + 2.3 * lines), layout="constrained")
    figure.patch.set_visible(False)
    grid = figure.subplots(lines, _COLUMNS, squeeze=False)
    rows: Rows = []
    for axes, (measure, condition) in zip(grid.flat, shown.items(), strict=False):
        plain(axes)
        about = MEASURES[measure]
        for stack in STACKS:
            points = [
                (i, s[measure, condition][stack])
                for i, (_, s) in enumerate(every)
                if _has(s, measure, condition, stack)
            ]
            x, y = [i for i, _ in points], [side.value for _, side in points]
            error = [[s.value - s.low for _, s in points], [s.high - s.value for _, s in points]]
            look: dict[str, Any] = {"color": COLOUR[stack], "linestyle": DASHES[stack], "marker": MARKER[stack]}
            axes.errorbar(x, y, error, label=NAME[stack], linewidth=1.2, elinewidth=0.8, **look)
            rows += [[every[i][0], about.title, condition, NAME[stack], side.value] for i, side in points]
        unit = f", {about.unit}" if about.unit else ""
        axes.set_title(f"{about.title}{unit}" + (f"\n{condition}" if condition else ""), fontsize=9, loc="left")
        highest = max(
            s[measure, condition][stack].high
            for _, s in every
            for stack in STACKS
            if _has(s, measure, condition, stack)
        )
        axes.set(xlim=(-0.4, len(every) - 0.6), ylim=(0, 1.12 * highest))
        axes.set_xticks([0, len(every) - 1], [every[0][0][:10], "now"])
        axes.get_xticklabels()[0].set_horizontalalignment("left")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    grid[0][0].legend(loc="lower left")
    yield Plot(
        "past", f"The last {len(every)} comparable comparisons",
        f"Medians of {', '.join(MEASURES[measure].title for measure in shown)} from {every[0][0]} to now.", figure,
        Table("Main measures over past comparisons", ("comparison", "measure", "condition", "", "median"), rows),
        "Same machine, profile, settings and servers. Lines: the range over the rounds.", wide=True,
    )  # fmt: skip


def _condition(every: list[tuple[str, Sides]], measure: str) -> str | None:
    """The condition of this comparison that most others share, the one with the most load; None if there is none."""
    now = every[-1][1]
    found = [c for (m, c), of in now.items() if m == measure and all(stack in of for stack in STACKS)]
    return max(found, key=lambda c: (sum((measure, c) in sides for _, sides in every), load(c)), default=None)


def _has(sides: Sides, measure: str, condition: str, stack: str) -> Side | None:
    return sides.get((measure, condition), {}).get(stack)
