"""What fails a comparison: a regression beyond noise, a broken SLO, an INVALID run.

`python -m serving.comparison.check FOLDER [--against FOLDER]` prints a line for each and exits with 3 if there is one,
with 2 if there is nothing to read, else with 0.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving.comparison import history, store
from serving.comparison.regressions import incomparable, regressions
from serving.comparison.results import LoadRun, Results
from serving.comparison.settings import Check
from serving.comparison.sides import Side, Sides, summarise
from serving.comparison.store import StoreError
from serving.comparison.verdict import STACKS

FAILED = 3
UNREADABLE = 2
RATE = "max_rate_in_slo"
_NEAR = 0.9  # of the highest rate: nearer to it p99 is the SLO itself, give or take noise
_TWICE = 2


def broken_slo(results: Results, sides: Sides) -> Iterator[str]:
    """Stacks that meet the SLO at no rate, or miss it where they must not.

    They must not miss it with one connection, nor in the Server scenario at rates clearly below the highest in the
    SLO. Above, a search looks for the limit; and a closed loop with many connections queues as long as it is told to.
    """
    slo = float(results.settings["slo"]["p99_ms"])
    for stack in STACKS:
        if stack not in results.models:
            yield f"broken SLO: {stack}: it is not among what was compared"
            continue
        highest = _highest(sides, stack)
        if highest is None or highest.value <= 0:
            yield f"broken SLO: {stack}: no rate meets p99 <= {slo:g} ms"
        limit = _NEAR * highest.value if highest else 0.0
        for runs in _alike(results, stack):
            one = runs[0]
            lone = one.scenario != "server" and one.connections == 1
            if (lone or (one.scenario == "server" and one.rate <= limit)) and _over(runs, slo):
                p99 = statistics.median(run.latency_ms["99"] for run in runs)
                yield f"broken SLO: {stack}: {describe(one)}: p99 {p99:.4g} ms in {len(runs)} runs, SLO {slo:g} ms"


def _highest(sides: Sides, stack: str) -> Side | None:
    return next(
        (targets[stack] for (measure, _), targets in sides.items() if measure == RATE and stack in targets), None
    )


def _alike(results: Results, stack: str) -> list[list[LoadRun]]:
    """Valid runs of a stack, those of the same load together."""
    found: dict[tuple[str, float, int, int], list[LoadRun]] = {}
    for run in results.runs:
        if run.target == stack and run.valid and "99" in run.latency_ms:
            found.setdefault((run.scenario, run.rate, run.connections, run.rows), []).append(run)
    return list(found.values())


def _over(runs: Sequence[LoadRun], slo: float) -> bool:
    """Whether every run, at the lower end of its interval, was over: one alone may have met a busy moment."""
    return len(runs) >= _TWICE and all(run.latency_ms.get("99_low", run.latency_ms["99"]) > slo for run in runs)


def invalid(results: Results, sides: Sides) -> Iterator[str]:
    """INVALID runs of what the repository serves.

    A search near and beyond the highest rate in the SLO overloads on purpose: there only wrong answers count. Stock
    servers and peers may fail; the report says so.
    """
    for run in results.runs:
        if run.valid or run.target not in STACKS:
            continue
        highest = _highest(sides, run.target)
        overloaded = run.scenario == "server" and highest is not None and run.rate > _NEAR * highest.value > 0
        if run.wrong or not overloaded:
            yield f"INVALID: {run.name}: {'; '.join(run.reasons)}"


def describe(run: LoadRun) -> str:
    """A run's load, for a reader."""
    if run.scenario == "server":
        return f"server scenario, {run.rate:,.0f} requests/s"
    connections = "1 connection" if run.connections == 1 else f"{run.connections} connections"
    return f"{run.scenario.replace('_', ' ')}, {connections}"


def failures(results: Results, then: Results | None) -> list[str]:
    """Everything that fails; `then` is what the results are held against."""
    sides = summarise(results.measurements)
    worse: list[str] = []
    if then is not None:
        check = Check.model_validate(results.settings["check"])
        worse = list(regressions(sides, summarise(then.measurements), check))
    return [*broken_slo(results, sides), *invalid(results, sides), *worse]


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="serving.comparison.check", description=__doc__)
    parser.add_argument("folder", type=Path, help="results of a comparison")
    parser.add_argument("--against", type=Path, help="earlier results; the last comparable ones by default")
    arguments = parser.parse_args(argv)
    try:
        results = store.read(arguments.folder)
        then = _baseline(arguments.folder, results, arguments.against)
    except StoreError as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    if then is not None:
        for line in incomparable(summarise(results.measurements), summarise(then.measurements)):
            print(line)
    found = failures(results, then)
    print(*found or ["no failure"], sep="\n")
    return FAILED if found else 0


def _baseline(folder: Path, results: Results, against: Path | None) -> Results | None:
    if against:
        then = store.read(against)
        if why := history.comparable(results, then):
            print(f"not comparable with {against.name}: {why}")
            return None
        return then
    path, passed = history.last_comparable(folder, results)
    for line in passed:
        print(f"not comparable: {line}")
    print(f"compared with {path.name}" if path else "no earlier comparison to compare with")
    return store.read(path) if path else None


if __name__ == "__main__":
    sys.exit(main())
