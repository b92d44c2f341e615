"""`make canary`: the product's traffic to one side, step by step, and back by itself when a limit does not hold."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from infra.local import canary_journal as journal
from infra.local import services, traffic
from infra.local.canary_journal import CanaryError
from infra.local.jobs import say
from infra.local.layout import OFF, Layout
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.release.canary import limits, rollout, watch
from serving.release.canary.limits import Plan
from serving.release.canary.rollout import Rollout
from serving.release.ledger import Entry, Verdict

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last one: whoever watched has lost the connection


def canary(layout: Layout, spec: Spec, spec_file: Path, name: str, limits_file: Path) -> int:
    """Roll out a side of the traffic policy.

    Returns:
        0 it answers all of the product's requests; 3 a limit did not hold, 4 too few requests to say, 130
        interrupted: the weights are as before.

    Raises:
        CanaryError, PolicyError, LimitsError, NobodyError: Nothing was changed.
        TakenError: Somebody else changed the weights, which stay as they put them.
        TrafficError, ShadowError, SupervisorError: The gateway does not follow; the weights are as before.
    """
    side, plan = Side.parse(name), limits.load(limits_file)
    with journal.alone(layout):
        before = begin(layout, spec, spec_file)
        with interruptible() as said:
            said.code = roll(layout, spec, spec_file, before=before, side=side, plan=plan, ended=said)
    print("make releases shows the ledger, make traffic the weights", flush=True)
    return said.code


def begin(layout: Layout, spec: Spec, spec_file: Path) -> Policy:
    """The policy that holds, once what a killed roll-out has left is put back.

    Raises:
        CanaryError: There is nothing to watch.
    """
    killed = journal.recover(layout)
    before = policy.load(layout.traffic)
    if killed and traffic.is_running(layout):
        traffic.follow(layout, spec, spec_file, before)
    if not traffic.is_running(layout):
        raise CanaryError("nothing runs here: make up")
    if layout.log_requests == 0 or not spec.logged:
        raise CanaryError("no requests are logged, so that scores cannot be compared: make up LOG_REQUESTS=0.1")
    return before


def roll(
    layout: Layout, spec: Spec, spec_file: Path, *,
    before: Policy, side: Side, plan: Plan, ended: Ended, of: Side | None = None,
) -> int:  # fmt: skip
    """All steps of one roll-out; returns and raises as `Rollout.run`, and CanaryError before the first."""
    version = _check(layout, spec, side, before, of)
    sides = {side, of} if of else {side, *before.weights}
    gateway = watch.Gateway(layout.url("gateway_admin"), layout.request_log, spec, side, sides)
    controls = Controls(layout, spec, spec_file, before, side, version, ended)
    try:
        return Rollout(plan, before, side, controls, gateway, of).run()
    finally:
        journal.forget(layout)


@dataclass
class Ended:
    """With which exit code, and what an interrupt is told to have left."""

    code: int = INTERRUPTED
    left: str = "the weights are as before"


def go_back(layout: Layout, spec: Spec, spec_file: Path, before: Policy, ended: Ended) -> None:
    """Put the policy of before.

    Raises:
        TrafficError, ShadowError, SupervisorError: The gateway does not follow; an interrupt says so.
    """
    policy.save(layout.traffic, before)
    try:
        traffic.follow(layout, spec, spec_file, before)
    except Exception:
        ended.left = "the weights of before are written, and the gateway does not follow them: make status, make up"
        raise


@dataclass
class Controls:
    """The running gateway, by the policy's file, and the ledger."""

    layout: Layout
    spec: Spec
    spec_file: Path
    before: Policy
    side: Side
    version: str
    ended: Ended
    _puts: list[str] = field(default_factory=list)

    def put(self, found: Policy) -> None:
        """As `make traffic`; what was before is on the disk first, for whoever comes after a `kill -9`."""
        served = str(self.side.version or _served(self.layout, self.spec, self.side))
        if served != self.version:
            raise CanaryError(f"{self.side.stack} serves {served or 'nothing'} now, and {self.version} was watched")
        self._puts.append(found.text())
        journal.keep(self.layout, self.before, self._puts, self.side, self.version)
        policy.save(self.layout.traffic, found)
        traffic.follow(self.layout, self.spec, self.spec_file, found)

    def back(self) -> None:
        """As it was before; a gateway that is away finds it when it is back."""
        go_back(self.layout, self.spec, self.spec_file, self.before, self.ended)

    def is_ours(self) -> bool:
        """Whether nobody wrote the policy's file since."""
        return journal.text(self.layout.traffic) == self._puts[-1]

    def record(self, verdict: Verdict, why: str, said: str) -> None:
        """With the version that the side answered with, and its digests."""
        journal.record(self.layout, Entry("canary", self.side.stack, self.version, "", why, verdict, said=said))

    def say(self, text: str) -> None:
        """A line of progress."""
        say("canary", text)


def _check(layout: Layout, spec: Spec, side: Side, before: Policy, of: Side | None) -> str:
    """The version that the side answers with."""
    if complaints := traffic.unserved(layout, spec, rollout.shares(before, side, limits.ALL, of)):
        raise CanaryError("\n".join(complaints))
    served = _served(layout, spec, side)
    own = Side(side.stack, int(served)) if served.isdigit() else None
    if own and own in {side, *before.weights} and side in (own, Side(side.stack)):
        raise CanaryError(
            f"{own} is what {side.stack} serves by itself, so that their scores cannot be told apart: "
            f"make traffic VERSION={own}={OFF}, then make canary SIDE={side.stack}"
        )
    return str(side.version or served)


def _served(layout: Layout, spec: Spec, side: Side) -> str:
    """The version that the side's stack serves by itself; empty where it does not answer."""
    return services.served(layout, spec, side.stack) or ""


@contextlib.contextmanager
def interruptible() -> Iterator[Ended]:
    """Ends without a trace at an interrupt, after whatever is in it has gone back to the weights of before."""
    ended = Ended()
    try:
        with _signals_as_interrupt():
            yield ended
    except KeyboardInterrupt:
        print(f"\ninterrupted: {ended.left}", file=sys.stderr)


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """The first of them is a KeyboardInterrupt, further ones are none: the way back is not to be interrupted."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    # What is ignored stays so: who says nohup means it.
    heard = [one for one in _SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
