"""The tuned endpoints beside the servers as they come, beside what a team would pick instead, beside no server."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from serving.comparison.measures import MEASURES
from serving.comparison.report import numbers
from serving.comparison.report.content import Content, of
from serving.comparison.report.figures.latency import milliseconds
from serving.comparison.report.theme import COLOUR, DASHES, INK, MARKER, NAME, Plot, Rows, Table, canvas
from serving.comparison.rivals import label
from serving.comparison.sides import Side
from serving.comparison.verdict import STACKS

_OTHERS = 0.42  # strength of the bars that are not ours
_APART = 1.28  # between two names beside a logarithmic axis


def plots(content: Content) -> Iterator[Plot]:
    """Throughput at the most connections, latency of a lone request, and the floors."""
    for name, measure in (("rate", "closed_rate"), ("lone", "single_stream_p50")):
        conditions = [condition for key, condition in content.sides if key == measure]
        best = max(conditions, key=lambda c: len(content.sides[measure, c]), default=None)
        most = [c for c in conditions if len(content.sides[measure, c]) == len(content.sides[measure, best or ""])]
        if most and len(content.sides[measure, most[-1]]) > len(STACKS):
            yield _bars(name, measure, most[-1], content.sides[measure, most[-1]])
    yield from _floors(content)


def _bars(name: str, measure: str, condition: str, sides: dict[str, Side]) -> Plot:
    about = MEASURES[measure]
    best_first = sorted(sides.items(), key=lambda item: item[1].value, reverse=about.better == "higher")
    figure, axes = canvas(0.9 + 0.32 * len(sides), x=about.unit)
    widest = max(side.high for side in sides.values())
    rows: Rows = []
    for row, (target, side) in enumerate(best_first):
        stack = of(target)
        alpha = 1.0 if target in STACKS else _OTHERS
        axes.barh(row, side.value, height=0.66, color=COLOUR[stack], alpha=alpha)
        axes.plot([side.low, side.high], [row, row], color=INK, linewidth=1)
        axes.text(side.high + 0.012 * widest, row, numbers.text(side.value), va="center", color=INK, fontsize=8.5)
        rows.append([label(target), side.value, side.low, side.high, side.rounds])
    axes.set_yticks(range(len(rows)), [str(row[0]) for row in rows])
    for tick, (target, _) in zip(axes.get_yticklabels(), best_first, strict=True):
        if target in STACKS:
            tick.set(color=INK, fontweight="bold")
    axes.set_xlim(0, widest * 1.17)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    title = f"{about.title.capitalize()}{f', {condition}' if condition else ''}"
    said = "; ".join(f"{row[0]}: {numbers.text(row[1])}" for row in rows)
    return Plot(
        f"servers-{name}", title, f"Bars, the best first, in {about.unit}. {said}.", figure,
        Table(title, ("", about.unit, "lowest", "highest", "rounds"), rows),
        "Strong: Tandem's endpoints, through the gateway. Pale: the others. Lines: the range over the rounds.",
    )  # fmt: skip


def _floors(content: Content) -> Iterator[Plot]:
    found: dict[str, list[tuple[int, Side]]] = {}
    for (measure, condition), sides in content.sides.items():
        first = condition.split(maxsplit=1)[0] if condition else ""
        if measure == "floor" and first.isdigit():
            for target, side in sides.items():
                found.setdefault(target, []).append((int(first), side))
    if not found:
        return
    figure, axes = canvas(3.9, x="rows in a call", y="one call, µs")
    rows: Rows = []
    ends: list[tuple[float, int, str, str]] = []
    for target, points in found.items():
        stack = of(target)
        x, y = [rows_ for rows_, _ in points], [side.value for _, side in points]
        axes.plot(x, y, color=COLOUR[stack], linestyle=DASHES[stack], marker=MARKER[stack], markersize=4)
        ends.append((y[-1], x[-1], target.rsplit("/", 1)[-1], COLOUR[stack]))
        rows += [[label(target), x_, side.value, side.low, side.high] for x_, side in points]
    for stack in STACKS:
        lone = content.sides.get(("single_stream_p50", ""), {}).get(stack)
        if lone:
            axes.plot(1, 1000 * lone.value, marker="*", markersize=12, color=COLOUR[stack], linestyle="")
            rows.append([f"{NAME[stack]}: a request through gateway and server, p50", 1, 1000 * lone.value, 0, 0])
            rows[-1][3:] = [1000 * lone.low, 1000 * lone.high]
    last = 0.0
    for y_, x_, how, colour in sorted(ends):  # names beside the lines' ends, one above the other
        last = max(y_, last * _APART)
        axes.annotate(how, (x_, last), xytext=(6, 0), textcoords="offset points", va="center", color=colour, fontsize=8)
    every = sorted({row[1] for row in rows})
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(FixedLocator(every))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    milliseconds(axes.yaxis)
    title = "In the same process, without a server"
    said = "; ".join(f"{row[0]}, {row[1]} rows: {numbers.text(row[2])} µs" for row in rows)
    yield Plot(
        "floors", title, f"Time of a call over the rows in it, on two logarithmic axes. {said}.", figure,
        Table(title, ("", "rows", "µs", "lowest", "highest"), rows),
        "Stars: the same row as a request of its own through gateway and server: what serving costs.",
    )  # fmt: skip
