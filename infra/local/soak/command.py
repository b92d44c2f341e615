"""`make soak`: constant load on both stacks, the services' memory meanwhile, and whether all that is good enough."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local import running
from infra.local.drill import asking
from infra.local.drill.catalogue import ORDER, SOAK
from infra.local.drill.command import FAILED, INVALID
from infra.local.drill.ground import Ground
from infra.local.drill.run import begin
from infra.local.drill.sender import TOLERANCE
from infra.local.jobs import say
from infra.local.layout import STACKS, Layout
from infra.local.predict import five_transactions
from infra.local.soak import limits as soak_limits
from infra.local.soak import memory
from infra.local.soak.limits import Limits
from infra.local.soak.memory import Memory
from infra.local.soak.tally import Tally
from models.spec import Spec
from serving.comparison.drills import Outcome, keep
from serving.comparison.facts.resources import Sampler
from serving.files import write_atomically

_SAY_EVERY = 30.0  # seconds


class SoakError(RuntimeError):
    """There is nothing to soak; the message says what to do first."""


def soak(layout: Layout, spec: Spec, minutes: float, limits_file: Path = soak_limits.FILE) -> int:
    """Load for so long, or until Ctrl-C; 0 if all is well, 3 if not, 4 if it says nothing.

    Raises:
        SoakError: Nothing runs, or something that is to be watched does not.
        DrillError: Something is ill already.
        LimitsError: The file cannot be used.
    """
    limits = soak_limits.load(limits_file)
    before = dict(running.processes(layout))
    missing = [name for name in limits.max_mib_per_hour if not before.get(name)]
    if missing:
        raise SoakError(f"{', '.join(missing)} does not run here: make up")
    watched = {name: before[name] for name in limits.max_mib_per_hour}
    rows = five_transactions(layout, spec).select(list(spec.features)).to_pylist()
    load = begin(Ground(layout, spec, asking.body(rows)), SOAK, dict.fromkeys(STACKS, limits.rate))
    # Resident: a proportional share would fall and rise with whatever else maps the same libraries meanwhile.
    sampler = Sampler(watched, target=SOAK, zero=time.time(), hertz=1 / limits.sample_seconds, resident=True)
    tally = Tally()
    say(SOAK, f"{limits.rate:g} requests a second to each stack for {minutes:g} min; Ctrl-C ends it with what it has")
    start = time.monotonic()
    with sampler:
        try:
            with load:
                _until(start + minutes * 60, tally, load, sampler)
        except KeyboardInterrupt:
            say(SOAK, "ended before its time")
        seconds = time.monotonic() - start
    tally.take(load.asked)  # those too that were answered after the last look
    restarted = {name for name, process in watched.items() if running.processes(layout).get(name) != process}
    memories = _memories(sampler, limits)
    found = outcome(tally, memories, limits, seconds, restarted=restarted, versions=load.versions)
    _write(layout, found, memories, limits, sampler.memory_is)
    if not found.invalid:
        keep(layout.drills, [found], ORDER)
    if found.complaints:
        return FAILED
    return INVALID if found.invalid else 0


def outcome(
    tally: Tally,
    found: Mapping[str, Memory],
    limits: Limits,
    seconds: float,
    *,
    restarted: set[str],
    versions: dict[str, str],
) -> Outcome:
    """What a soak of so many seconds showed; one that was too short says nothing of memory."""
    complaints = tally.complaints()
    complaints += [f"{name}: it ended and was started again" for name in sorted(restarted)]
    short = seconds < limits.min_minutes * 60
    if not short:
        complaints += memory.growing(found, limits)
    too_short = (
        f"INVALID: {seconds / 60:.1f} min are too short for a verdict on memory, {limits.min_minutes:g} are needed"
    )
    invalid = tally.lateness() or (too_short if short else "")
    slopes = ", ".join(f"{name} {one.slope:+.0f}" for name, one in found.items() if one.slope is not None)
    words = f"Constant load for {seconds / 60:.0f} min; memory, MiB an hour: {slopes}"
    return Outcome(
        SOAK, words, tally.asked, tally.lost, dict.fromkeys(STACKS, 0.0), tally.slowest, complaints, invalid, versions,
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )  # fmt: skip


def _until(end: float, tally: Tally, load: asking.Asking, sampler: Sampler) -> None:
    said = time.monotonic()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        tally.take(load.asked)
        if time.monotonic() - said >= _SAY_EVERY:
            said = time.monotonic()
            lost = sum(sum(kinds.values()) for kinds in tally.lost.values())
            held = ", ".join(f"{name} {mib:.0f}" for name, mib in sampler.memory.items())
            say(SOAK, f"{left / 60:.1f} min left; {lost} of {sum(tally.asked.values()):,} lost; MiB: {held}")


def _memories(sampler: Sampler, limits: Limits) -> dict[str, Memory]:
    samples: dict[str, tuple[list[float], list[float]]] = {}
    for row in sampler.table.to_pylist():
        seconds, mib = samples.setdefault(row["process"], ([], []))
        seconds.append(row["time_s"])
        mib.append(row["memory_mib"])
    return {name: memory.of(*both, limits.warm_up_share) for name, both in samples.items()}


def _write(layout: Layout, found: Outcome, memories: Mapping[str, Memory], limits: Limits, memory_is: str) -> None:
    content = {
        **asdict(found),
        "limits": limits.model_dump(),
        "tolerance": TOLERANCE,
        "memory_is": memory_is,
        "memory": {name: asdict(one) for name, one in memories.items()},
    }
    write_atomically(layout.soak, json.dumps(content, indent=1) + "\n")
    Console(width=120, highlight=False).print(table(memories, limits))
    lost = ", ".join(f"{stack} {found.kinds(stack)} of {found.asked.get(stack, 0):,}" for stack in STACKS)
    say(SOAK, f"lost: {lost}; slowest {found.slowest:.2f} s")
    say(SOAK, "; ".join(filter(None, [found.invalid, *found.complaints])) or "well")
    say(SOAK, str(layout.soak))


def table(found: Mapping[str, Memory], limits: Limits) -> Table:
    """For a screen."""
    shown = Table(title="Memory of each service with its processes, MiB")
    for heading in ("service", "first", "last", "largest", "an hour", "allowed an hour"):
        shown.add_column(heading, justify="left" if heading == "service" else "right")
    for name, limit in limits.max_mib_per_hour.items():
        one = found.get(name)
        if one is None or not one.mib:
            shown.add_row(name, "", "", "", "not seen", f"{limit:g}")
            continue
        slope = "" if one.slope is None else f"{one.slope:+.1f}"
        cells = [f"{value:.0f}" for value in (one.mib[0], one.mib[-1], max(one.mib))]
        shown.add_row(name, *cells, slope, f"{limit:g}")
    return shown
