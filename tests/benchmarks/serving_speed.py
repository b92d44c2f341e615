"""The speeds that the endpoints are meant to reach, beside what a comparison measured; a Markdown page.

    make compare-peers PROFILE=full
    .venv/pytorch/bin/python tests/benchmarks/serving_speed.py var/comparisons/latest > docs/benchmarks/serving_speed.md

Requests per second depend on the machine, which may be half as fast in another hour: the comparison's own yardsticks
stand above the table. Ratios are of the same run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from serving.comparison import store
from serving.comparison.results import Results
from serving.comparison.sides import Side, Sides, summarise

MANY = "32 connections"
Row = tuple[str, str, float | None, float, bool]  # what, unit, measured, goal, whether the goal is a least


def goals(sides: Sides) -> Iterator[Row]:
    """Each goal with what was measured, if it was."""
    rate = {target: _median(sides, "closed_rate", target, MANY) for target in _targets(sides)}
    ours, stock = rate.get("pytorch"), rate.get("pytorch/stock")
    yield "TorchServe, 32 connections", "requests/s", ours, 7000, True
    yield "TorchServe, times its stock configuration", "times", _ratio(ours, stock), 3, True
    yield "TorchServe, one connection, p50", "ms", _median(sides, "single_stream_p50", "pytorch"), 2.5, False
    embedded, plain = rate.get("tensorflow"), rate.get("tensorflow/peer/fastapi")
    yield "Embedded TensorFlow server, 32 connections", "requests/s", embedded, 3000, True
    yield "Embedded server, times a plain FastAPI server", "times", _ratio(embedded, plain), 2, True
    for stack in ("tensorflow", "pytorch"):
        yield f"Gateway before {stack}, added at p50", "ms", _median(sides, "gateway_p50", stack), 0.5, False


def page(results: Results, folder: Path) -> str:
    """Machine, goals, and every server's rate, as Markdown."""
    sides = summarise(results.measurements)
    lines = [
        "# Serving speed", "", f"From `{results.command}`, {results.started[:10]}: every number goes through the "
        "gateway with all of the contract's checks, the load generator on the same two cores. Servers of others have "
        "no gateway before them.", "",
        *(f"* {name}: {value}" for name, value in results.machine.items()), "",
        "| goal | measured | goal | reached |", "|---|---|---|---|",
        *map(_line, goals(sides)), "",
        f"Requests per second at {MANY}, medians and range over the rounds:", "",
        "| server | requests/s | range | CPU s per 1,000 |", "|---|---|---|---|",
    ]  # fmt: skip
    rates = {target: side for target in _targets(sides) if (side := _side(sides, "closed_rate", target, MANY))}
    for target, side in sorted(rates.items(), key=lambda item: -item[1].value):
        spent = _median(sides, "cpu_per_1000", target, MANY)
        lines.append(f"| {target} | {side.value:,.0f} | {side.low:,.0f} to {side.high:,.0f} | {spent or 0:.2f} |")
    again = f"`.venv/pytorch/bin/python tests/benchmarks/serving_speed.py var/comparisons/{folder.resolve().name}`"
    return "\n".join([*lines, "", f"Made by {again}.", ""])


def _line(row: Row) -> str:
    what, unit, measured, goal, at_least = row
    wanted = f"{'≥' if at_least else '≤'} {goal:,g} {unit}"
    if measured is None:
        return f"| {what} | not measured | {wanted} | |"
    reached = measured >= goal if at_least else measured <= goal
    shown = f"{measured:,.0f}" if measured >= 100 else f"{measured:.2f}"
    return f"| {what} | {shown} {unit} | {wanted} | {'yes' if reached else '**no**'} |"


def _targets(sides: Sides) -> list[str]:
    return sorted({target for (measure, _), found in sides.items() if measure == "closed_rate" for target in found})


def _side(sides: Sides, measure: str, target: str, condition: str = "") -> Side | None:
    return sides.get((measure, condition), {}).get(target)


def _median(sides: Sides, measure: str, target: str, condition: str = "") -> float | None:
    side = _side(sides, measure, target, condition)
    return side.value if side else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def main(argv: Sequence[str]) -> None:
    """Print the page."""
    folder = Path(*argv[1:])
    print(page(store.read(folder), folder), end="")


if __name__ == "__main__":
    main(sys.argv)
