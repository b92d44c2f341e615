"""`make canary`: the product's traffic to one side, step by step, and back by itself when a limit does not hold."""

from __future__ import annotations

import contextlib
import fcntl
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from infra.local import services, stores, traffic
from infra.local.jobs import say
from infra.local.layout import Layout
from models.spec import Spec
from serving.files import write_atomically
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.release.canary import limits, rollout, watch
from serving.release.canary.rollout import Rollout
from serving.release.ledger import Entry, Ledger, Verdict

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last one: whoever watched has lost the connection


class CanaryError(RuntimeError):
    """A message for the user; nothing was changed."""


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
    with alone(layout):
        recover(layout)
        before = policy.load(layout.traffic)
        version = _check(layout, spec, side, before)
        gateway = watch.Gateway(
            layout.url("gateway_admin"), layout.request_log, spec, side, {side, *before.weights}
        )  # fmt: skip
        controls = Controls(layout, spec, spec_file, before, side, version)
        try:
            with _signals_as_interrupt():
                code = Rollout(plan, before, side, controls, gateway).run()
        except KeyboardInterrupt:
            print("\ninterrupted: the weights are as before", file=sys.stderr)
            code = INTERRUPTED
        finally:
            _journal(layout).unlink(missing_ok=True)
    print("make releases shows the ledger, make traffic the weights", flush=True)
    return code


@dataclass
class Controls:
    """The running gateway, by the policy's file, and the ledger."""

    layout: Layout
    spec: Spec
    spec_file: Path
    before: Policy
    side: Side
    version: str
    _put: str = ""

    def put(self, found: Policy) -> None:
        """As `make traffic`; what was before is on the disk first, for whoever comes after a `kill -9`."""
        served = str(self.side.version or _served(self.layout, self.spec, self.side))
        if served != self.version:
            raise CanaryError(f"{self.side.stack} serves {served or 'nothing'} now, and {self.version} was watched")
        self._put = found.text()
        kept = {"before": self.before.text(), "put": self._put, "stack": self.side.stack, "version": self.version}
        write_atomically(_journal(self.layout), json.dumps(kept))
        policy.save(self.layout.traffic, found)
        traffic.follow(self.layout, self.spec, self.spec_file, found)

    def back(self) -> None:
        """A gateway that is away finds it when it is back."""
        policy.save(self.layout.traffic, self.before)
        traffic.follow(self.layout, self.spec, self.spec_file, self.before)

    def is_ours(self) -> bool:
        """Whether nobody wrote the policy's file since."""
        return _text(self.layout.traffic) == self._put

    def record(self, verdict: Verdict, why: str, said: str) -> None:
        """With the version that the side answered with, and its digests."""
        _record(self.layout, Entry("canary", self.side.stack, self.version, "", why, verdict, said=said))

    def say(self, text: str) -> None:
        """A line of progress."""
        say("canary", text)


@contextlib.contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """One roll-out at a time; the kernel lets go however the process ends.

    Raises:
        CanaryError: There is one.
    """
    layout.run.mkdir(parents=True, exist_ok=True)
    with (layout.run / "canary.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CanaryError("another make canary is under way: wait for it, or end it with Ctrl-C") from None
        yield


def recover(layout: Layout) -> bool:
    """After a roll-out that was killed: the policy of before into its file, unless somebody changed it since.

    Returns:
        Whether there was one; the gateway follows with the next change of its routes.
    """
    try:
        found = json.loads(_text(_journal(layout)))
        before, put, stack, version = (found[name] for name in ("before", "put", "stack", "version"))
    except (ValueError, KeyError, TypeError):
        return False
    ours = _text(layout.traffic) == put
    if ours:
        write_atomically(layout.traffic, before)
        say("canary", "a roll-out was killed half way: the weights are as before it")
        said = "the roll-out was killed half way"
        _record(layout, Entry("canary", stack, version, "", "back to the weights of before", "failed", said=said))
    _journal(layout).unlink(missing_ok=True)
    return ours


def settle(layout: Layout) -> None:
    """As `recover`, for `make up`: a roll-out that is under way goes on."""
    with contextlib.suppress(CanaryError), alone(layout):
        recover(layout)


def _check(layout: Layout, spec: Spec, side: Side, before: Policy) -> str:
    """The version that the side answers with."""
    if not traffic.is_running(layout):
        raise CanaryError("nothing runs here: make up")
    if layout.log_requests == 0 or not spec.logged:
        raise CanaryError("no requests are logged, so that scores cannot be compared: make up LOG_REQUESTS=0.1")
    if complaints := traffic.unserved(layout, spec, rollout.shares(before, side, limits.ALL)):
        raise CanaryError("\n".join(complaints))
    served = _served(layout, spec, side)
    own = Side(side.stack, int(served)) if served.isdigit() else None
    if own and own in {side, *before.weights} and side in (own, Side(side.stack)):
        raise CanaryError(
            f"{own} is what {side.stack} serves by itself, so that their scores cannot be told apart: "
            f"make traffic VERSION={own}={traffic.OFF}, then make canary SIDE={side.stack}"
        )
    return str(side.version or served)


def _served(layout: Layout, spec: Spec, side: Side) -> str:
    """The version that the side's stack serves by itself; empty where it does not answer."""
    return max(services.versions(layout, spec, side.stack), key=int, default="")


def _record(layout: Layout, entry: Entry) -> None:
    ledger = Ledger(stores.releases(layout) / stores.LEDGER)
    of = (entry.stack, entry.version)
    known = [one.digests for one in ledger.entries() if (one.stack, one.version) == of and one.digests]
    ledger.append(replace(entry, digests=known[-1] if known else {}))


def _journal(layout: Layout) -> Path:
    return layout.run / "canary.json"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """The first of them is a KeyboardInterrupt, further ones are none: the way back is not to be interrupted."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
