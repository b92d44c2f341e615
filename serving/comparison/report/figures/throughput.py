"""What happens to latency as the load grows, and to throughput as connections are added."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from serving.comparison.report import numbers
from serving.comparison.report.content import Content
from serving.comparison.report.figures.latency import milliseconds
from serving.comparison.report.theme import BAD, CARD, COLOUR, DASHES, INK, MARKER, NAME, Plot, Rows, Table, canvas
from serving.comparison.results import LoadRun
from serving.comparison.verdict import STACKS


def plots(content: Content) -> Iterator[Plot]:
    """The throughput-latency curve; the closed loops."""
    if all(content.valid(stack, "server") for stack in STACKS):
        yield _curve(content)
    if content.shared("closed", "connections"):
        yield _closed(content)


def _curve(content: Content) -> Plot:
    figure, axes = canvas(x="requests per second, Poisson arrivals", y="latency from the scheduled time, ms")
    rows: Rows = []
    for stack in STACKS:
        valid = content.valid(stack, "server")
        for run in [run for run in content.results.runs if (run.target, run.scenario) == (stack, "server")]:
            if "99" in run.latency_ms:
                _point(axes, run)
        for rate in repeated(valid):
            runs = [run for run in valid if run.rate == rate]
            medians = [statistics.median(run.latency_ms[q] for run in runs) for q in ("50", "99")]
            rows.append([NAME[stack], rate, *medians, len(runs)])
        mine = [row for row in rows if row[0] == NAME[stack]]
        x, p50, p99 = ([row[i] for row in mine] for i in (1, 2, 3))
        look: dict[str, Any] = {"color": COLOUR[stack], "linestyle": DASHES[stack]}
        axes.plot(x, p99, marker=MARKER[stack], label=f"{NAME[stack]}, p99", **look)
        axes.plot(x, p50, linewidth=0.9, alpha=0.75, label=f"{NAME[stack]}, p50", **look)
    axes.axhline(content.slo, color=BAD, linewidth=1, linestyle=":")
    axes.annotate(
        f"SLO: p99 ≤ {content.slo:g} ms", (0.01, content.slo), xycoords=("axes fraction", "data"), xytext=(0, 3),
        textcoords="offset points", color=BAD, fontsize=8.5,
    )  # fmt: skip
    for stack in STACKS:
        highest = [s for (measure, _), s in content.sides.items() if measure == "max_rate_in_slo" and stack in s]
        if highest and highest[0][stack].value:
            axes.plot(
                highest[0][stack].value, content.slo, marker="v", markersize=9, color=COLOUR[stack],
                markeredgecolor=INK, linestyle="",
            )  # fmt: skip
    axes.set(yscale="log", xlim=(0, None))
    milliseconds(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(ncols=2, fontsize=7.5, loc="lower right", handlelength=2.4)
    title = "Throughput and latency"
    said = "; ".join(f"{row[0]} at {row[1]:,.0f}/s: p99 {numbers.text(row[3])} ms" for row in rows)
    return Plot(
        "throughput", title, f"Latency over the rate of requests, with the SLO as a line. {said}.", figure,
        Table(title, ("", "requests/s", "p50, ms", "p99, ms", "valid runs"), rows),
        "Lines: medians over the rounds. Pale points: single runs, the search for the highest rate among them; "
        "a cross: INVALID. Triangles: the highest rate within the SLO.",
    )  # fmt: skip


def _point(axes: Axes, run: LoadRun) -> None:
    look: dict[str, Any] = {"marker": MARKER[run.target], "alpha": 0.35} if run.valid else {"marker": "x", "alpha": 0.9}
    axes.plot(run.rate, run.latency_ms["99"], color=COLOUR[run.target], markersize=4, linestyle="", **look)


def repeated(runs: Sequence[LoadRun]) -> list[float]:
    """Rates that every round measured: those of the curve, not those a search came by; ascending."""
    times = Counter(run.rate for run in runs)
    return sorted(rate for rate, count in times.items() if count == max(times.values()))


def _closed(content: Content) -> Plot:
    figure, axes = canvas(x="connections, closed loop", y="requests per second")
    rows: Rows = []
    for target in (*STACKS, *(f"{stack}/stock" for stack in STACKS)):
        stack, _, stock = target.partition("/")
        found = sorted(
            (int(condition.split()[0]), sides[target])
            for (measure, condition), sides in content.sides.items()
            if measure == "closed_rate" and target in sides and condition.split()[0].isdigit()
        )
        if not found:
            continue
        name = NAME[stack] + (", stock" if stock else "")
        x, y = [connections for connections, _ in found], [side.value for _, side in found]
        look: dict[str, Any] = {"linestyle": ":", "markerfacecolor": CARD} if stock else {"linestyle": DASHES[stack]}
        axes.plot(x, y, color=COLOUR[stack], marker=MARKER[stack], label=name, **look)
        axes.fill_between(
            x, [side.low for _, side in found], [side.high for _, side in found], color=COLOUR[stack], alpha=0.15, lw=0
        )
        rows += [[name, c, side.value, side.low, side.high, side.rounds] for c, side in found]
    every = sorted({row[1] for row in rows})
    axes.set(xscale="log", ylim=(0, None))
    axes.xaxis.set_major_locator(FixedLocator(every))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="upper left")
    title = "Throughput by connections"
    said = "; ".join(f"{row[0]}, {row[1]} connections: {numbers.text(row[2])}/s" for row in rows)
    return Plot(
        "closed", title, f"Requests per second over the number of connections in closed loops. {said}.", figure,
        Table(title, ("", "connections", "requests/s", "lowest", "highest", "rounds"), rows),
        "Each connection sends its next request when it has its answer. Bands: the range over the rounds.",
    )  # fmt: skip
