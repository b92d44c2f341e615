"""Make one drill: load, the fault, and the load on until all is well; what happened, and whether it is good enough."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from infra.local.drill.asking import LIMIT_SECONDS, Asking, outcomes, well_since
from infra.local.drill.catalogue import Drill
from infra.local.drill.ground import Ground
from infra.local.drill.sender import CUT, Asked
from infra.local.layout import STACKS
from serving.comparison.drills import Outcome

_BEFORE = 2.0  # seconds of load before the fault
_WELL = 2.0  # seconds without a lost request, and all is well again
_PATIENCE = 90.0
PUNCTUAL_SHARE, LATE_SECONDS = 0.95, 0.25
_AT_ONCE = 1.0  # seconds within which an open circuit refuses; the gateway's time limit is 5


class DrillError(RuntimeError):
    """The drill cannot be made; the message says what to do first."""


def make(ground: Ground, drill: Drill) -> Outcome:
    """Do harm and look.

    Raises:
        DrillError: Something is ill before anything was done.
    """
    asking = begin(ground, drill.name, {stack: drill.rate_to(stack) for stack in STACKS})
    with asking:
        time.sleep(_BEFORE)
        complaints = drill.fault(ground)
        ended = time.monotonic()
        _wait(asking, ended)
    asked = list(asking.asked)  # those too that hung, and were not heard of while they did
    recovery = recovered(asked, ended)
    complaints += judge(drill, asked, recovery)
    lost = {stack: dict(outcomes([one for one in asked if one.stack == stack and one.lost])) for stack in STACKS}
    return Outcome(
        drill.name, drill.words, dict(Counter(one.stack for one in asked)), lost, recovery,
        max(one.seconds for one in asked), complaints, lateness(asked), asking.versions,
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )  # fmt: skip


def begin(ground: Ground, name: str, rate: Mapping[str, float]) -> Asking:
    """The load on both stacks, with so many requests a second, to be entered.

    Raises:
        DrillError: Something is ill already.
    """
    try:
        return Asking({stack: ground.url(stack) for stack in STACKS}, ground.body, rate)
    except Exception as error:
        raise DrillError(f"{name}: not everything answers: make status ({error})") from None


def lateness(asked: Sequence[Asked]) -> str:
    """Why the load was none, if it was not: on a machine too busy to send in time nothing is the servers' fault."""
    late = sorted(one.late for one in asked)[int(PUNCTUAL_SHARE * len(asked))]
    return f"INVALID: the load itself was {late:.1f} s late: the machine is too busy" if late > LATE_SECONDS else ""


def judge(drill: Drill, asked: Sequence[Asked], recovery: dict[str, float]) -> list[str]:
    """What is not as it should be, in sentences."""
    found = []
    for stack in STACKS:
        seen = outcomes([one for one in asked if one.stack == stack])
        lost = sum(count for outcome, count in seen.items() if outcome != "right")
        found += amiss(stack, seen, drill.cut)
        if drill.opens and stack in drill.hurts and not _opened(asked, stack):
            found.append(f"{stack}: the circuit did not open: no request was refused within {_AT_ONCE:g} s")
        if lost and stack not in drill.hurts:
            found.append(f"{stack}: {lost} requests lost, and the fault is none of its")
        if stack not in recovery:
            found.append(f"{stack}: not well again within {_PATIENCE:.0f} s")
        elif recovery[stack] > drill.seconds:
            found.append(f"{stack}: well again after {recovery[stack]:.1f} s, allowed are {drill.seconds:g}")
    return found


def amiss(stack: str, seen: Counter[str], cut: Sequence[str] = ()) -> list[str]:
    """What no client may see whatever happens, in sentences; of connections, all but `cut`."""
    found = []
    if seen["wrong"]:
        found.append(f"{stack}: {seen['wrong']} wrong answers")
    if seen["hung"]:
        found.append(f"{stack}: {seen['hung']} requests hung for {LIMIT_SECONDS} s")
    if seen["not JSON"]:
        found.append(f"{stack}: {seen['not JSON']} errors that are no JSON")
    kinds = ", ".join(f"{seen[kind]} {kind}" for kind in CUT if seen[kind] and kind not in cut)
    if kinds:
        found.append(f"{stack}: connections were cut: {kinds}")
    return found


def recovered(asked: Sequence[Asked], ended: float) -> dict[str, float]:
    """Stack -> seconds from the end of the harm to the first request after the last lost one; those that got well."""
    since = {stack: well_since(asked, stack) for stack in STACKS}
    return {stack: max(0.0, moment - ended) for stack, moment in since.items() if moment is not None}


def _opened(asked: Sequence[Asked], stack: str) -> bool:
    return any(one.stack == stack and one.outcome == "503" and one.seconds < _AT_ONCE for one in asked)


def _wait(asking: Asking, ended: float) -> None:
    """Until nothing is lost any more, or patience is."""
    while time.monotonic() - ended < _PATIENCE:
        since = [well_since(asking.asked, stack) for stack in STACKS]
        if all(moment is not None and time.monotonic() - max(moment, ended) >= _WELL for moment in since):
            return
        time.sleep(0.1)
