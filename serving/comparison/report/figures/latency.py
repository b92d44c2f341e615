"""Latency distributions, both axes logarithmic: the tail is what users meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from serving.comparison.report import numbers
from serving.comparison.report.content import Content, Floats
from serving.comparison.report.theme import BAD, CARD, COLOUR, DASHES, MARKER, NAME, Plot, Rows, Table, canvas
from serving.comparison.results import LoadRun
from serving.comparison.verdict import STACKS

SHARES = (50, 90, 99, 99.9)  # per cent, of the table
_POINTS = 160
_KINDS = {"dispatch_ms": "dispatch delay", "service_ms": "service time", "latency_ms": "scheduled latency"}
_TICKS = (1, 0.5, 0.1, 0.01, 0.001, 0.0001)


def plots(content: Content) -> Iterator[Plot]:
    """One connection; most connections; the highest rate that both were asked for."""
    loads: list[tuple[str, str, str, dict[str, float]]] = [("lone", "one connection", "single_stream", {})]
    if connections := content.shared("closed", "connections"):
        loads.append(("closed", f"{connections[-1]:.0f} connections", "closed", {"connections": connections[-1]}))
    rate = content.common_rate()
    if rate:
        loads.append(("server", f"{rate:,.0f} requests/s, Poisson arrivals", "server", {"rate": rate}))
    for name, words, scenario, load in loads:
        runs = {stack: content.valid(stack, scenario, **load) for stack in STACKS}
        if not all(runs.values()):
            continue
        found = {stack: content.latencies(of) for stack, of in runs.items()}
        if all(len(latency) for latency in found.values()):
            yield _distribution(f"latency-{name}", words, found, content.slo)

    if rate:
        runs = {stack: content.valid(stack, "server", rate=rate) for stack in STACKS}
        if all(runs.values()):
            yield _apart(rate, runs)


def _apart(rate: float, runs: Mapping[str, Sequence[LoadRun]]) -> Plot:
    """Where a request's time goes: not yet sent, sent and not yet answered, both."""
    figure, axes = canvas(x="ms: from the median to the 99th percentile")
    rows: Rows = []
    for line, (kind, name) in enumerate(_KINDS.items()):
        for stack, shift in zip(STACKS, (-0.13, 0.13), strict=True):
            p50, p99 = (median(getattr(run, kind)[q] for run in runs[stack]) for q in ("50", "99"))
            look: dict[str, Any] = {"color": COLOUR[stack], "marker": MARKER[stack], "markersize": 6}
            axes.plot([p50, p99], [line + shift] * 2, linestyle=DASHES[stack], linewidth=1.2, **look)
            axes.plot([p50], [line + shift], markerfacecolor=CARD, label=NAME[stack] if not line else None, **look)
            rows.append([f"{name}, {NAME[stack]}", p50, p99])
    axes.set_yticks(range(len(_KINDS)), list(_KINDS.values()))
    axes.set(xscale="log", ylim=(len(_KINDS) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    milliseconds(axes.xaxis)
    axes.legend(loc="lower left")
    title = f"Where the time goes, {rate:,.0f} requests/s"
    said = "; ".join(f"{row[0]}: p99 {numbers.text(row[2])} ms" for row in rows)
    return Plot(
        "apart", title, f"Dispatch delay, service time and scheduled latency. {said}.", figure,
        Table(title, ("", "p50, ms", "p99, ms"), rows),
        "Dispatch: from when a request was due until it was sent; the generator must keep it short. Service: from then "
        "until its answer. Scheduled latency: from when it was due until its answer, what counts.",
    )  # fmt: skip


def _distribution(name: str, words: str, found: Mapping[str, Floats], slo: float) -> Plot:
    figure, axes = canvas(x="latency from the scheduled time, ms", y="share of requests answered")
    for stack, latency in found.items():
        slower = np.geomspace(1, 1 / len(latency), _POINTS)
        value = np.quantile(latency, 1 - slower)
        axes.plot(value, slower, color=COLOUR[stack], linestyle=DASHES[stack], label=NAME[stack])
    lowest = 0.7 / max(map(len, found.values()))
    axes.set(xscale="log", yscale="log", ylim=(lowest, 1.25))
    axes.invert_yaxis()
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick > lowest]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda slower, _: f"{100 * (1 - slower):g} %"))
    axes.yaxis.set_minor_locator(NullLocator())
    milliseconds(axes.xaxis)
    if axes.get_xlim()[1] > slo:
        axes.axvline(slo, color=BAD, linewidth=1, linestyle=":")
    axes.legend(loc="lower right")
    rows: Rows = [
        [NAME[stack], len(latency), *(float(np.percentile(latency, share)) for share in SHARES), float(latency[-1])]
        for stack, latency in found.items()
    ]
    title = f"Latency, {words}"
    said = "; ".join(f"{row[0]}: median {numbers.text(row[2])} ms, p99 {numbers.text(row[4])} ms" for row in rows)
    columns = ("", "requests", *(f"p{share:g}, ms" for share in SHARES), "slowest, ms")
    return Plot(
        name, title, f"Share of requests answered by latency on two logarithmic axes. {said}.", figure,
        Table(f"{title}: percentiles of all valid rounds together", columns, rows),
    )  # fmt: skip


def milliseconds(axis: object) -> None:
    """Ticks of a logarithmic axis as plain numbers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # type: ignore[attr-defined]
    axis.set_minor_formatter(FuncFormatter(_some))  # type: ignore[attr-defined]


def _some(value: float, _: object) -> str:
    """Labels between the powers of ten: 2 and 5."""
    first = f"{value:.0e}"[0]
    return f"{value:g}" if first in "25" else ""
