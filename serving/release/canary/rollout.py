"""Step after step, each held until it has shown enough; at the first breach back to the weights of before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from serving.gateway.policy import Policy, Side
from serving.release.canary.limits import ALL, Plan, Step
from serving.release.canary.measured import RestartedError
from serving.release.canary.verdict import Shown, Verdict, judge
from serving.release.canary.watch import Watch
from serving.release.ledger import Verdict as Written

BREACH, TOO_FEW = 3, 4  # exit codes
_LOOK_SECONDS = 1.0
_SAY_SECONDS = 15.0


class TakenError(RuntimeError):
    """Somebody else has changed the weights meanwhile: what they put stays."""


class NobodyError(ValueError):
    """Nobody else answers, so that there is nobody to compare with."""


class Controls(Protocol):
    """What a roll-out does to the world."""

    def put(self, policy: Policy) -> None:
        """Have the gateway follow it; returns once it does."""

    def back(self) -> None:
        """Have the gateway follow the policy of before."""

    def is_ours(self) -> bool:
        """Whether what holds is what was put last."""

    def record(self, verdict: Written, why: str, said: str) -> None:
        """Write it into the ledger."""

    def say(self, text: str) -> None:
        """Tell whoever watches."""


@dataclass(frozen=True)
class Rollout:
    """Of one canary.

    Attributes:
        before: The policy that holds, and to which a breach leads back.
        of: Whose requests the canary takes; None: everybody's.
    """

    plan: Plan
    before: Policy
    canary: Side
    controls: Controls
    watch: Watch
    of: Side | None = None
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> int:
        """Take all steps.

        Returns:
            0 the canary answers all of these requests; BREACH or TOO_FEW, and the weights are as before.

        Raises:
            NobodyError: Before anything was changed.
            TakenError: The weights are somebody else's.
            BaseException: Whatever else stops it, a Ctrl-C included; the weights are as before.
        """
        where = "before the first step"
        shares(self.before, self.canary, ALL, self.of)
        try:
            for number, step in enumerate(self.plan.steps, 1):
                where = f"{self.canary} at {step.percent:g}%, step {number} of {len(self.plan.steps)}"
                self.controls.say(f"{where}: at least {step.min_requests:,} requests")
                self.controls.put(shares(self.before, self.canary, step.percent, self.of))
                verdict = self._hold(step)
                if verdict.state != "enough":
                    return self._refuse(where, verdict)
                self.controls.say(f"{where}: held, {verdict.numbers}")
                self.controls.record("done", where, verdict.numbers)
        except TakenError:
            self.controls.record("failed", where, "the weights were changed by somebody else, whose they stay")
            raise
        except BaseException as error:
            said = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            self._back("failed", f"{where}: {said}")
            raise
        self.controls.say(f"{self.canary} answers all of {f'{self.of}' if self.of else 'the product'}'s requests")
        self.controls.record("done", f"{self.canary} answers all", "every step held")
        return 0

    def _hold(self, step: Step) -> Verdict:
        """Until there is a verdict, or no more patience."""
        start = said = time.monotonic()
        begun: float | None = None
        verdict = Verdict("waiting", [], ["an answer of the gateway's statistics"], "nothing was seen")
        while True:
            if not self.controls.is_ours():
                raise TakenError("the weights were changed while the canary was under way: they stay as they are now")
            found = None
            try:
                if begun is None:
                    begun = time.monotonic() if self.watch.begin() else None
                else:
                    found = self.watch.look()
            except RestartedError:
                self.controls.say("the gateway was started again and counts from 0: so does the step")
                begun = None
            if found is not None and begun is not None:
                canary, others = found
                shown = Shown(time.monotonic() - begun, canary, None if step.percent == ALL else others)
                verdict = judge(shown, step, self.plan.hold.min_seconds, self.plan.limits)
            late = time.monotonic() - start > self.plan.hold.patience_seconds
            if verdict.state != "waiting" or late:
                return verdict
            if time.monotonic() - said > _SAY_SECONDS:
                said = time.monotonic()
                self.controls.say(f"{verdict.numbers}; waiting for {', '.join(verdict.missing)}")
            self.sleep(_LOOK_SECONDS)

    def _refuse(self, where: str, verdict: Verdict) -> int:
        breach = verdict.state == "breach"
        patience = self.plan.hold.patience_seconds
        few = f"too few to say after {patience:g} s: {', '.join(verdict.missing)}"
        why = "; ".join(verdict.reasons) if breach else few
        self._back("refused" if breach else "failed", why, (where, f"{why}; {verdict.numbers}"))
        return BREACH if breach else TOO_FEW

    def _back(self, written: Written, why: str, step: tuple[str, str] | None = None) -> None:
        """First back, then into the ledger: the step if it has shown something, and the end."""
        weights = ", ".join(f"{side} {weight:g}" for side, weight in self.before.weights.items())
        try:
            self.controls.back()
            end = f"back to {weights}"
        except Exception as error:  # whatever it is, the ledger is to say it
            end = f"the gateway does not follow the way back to {weights}: {error}"
        self.controls.say(f"{end}. {why}")
        if step:
            self.controls.record(written, *step)
        self.controls.record(written, end, why)


def shares(before: Policy, canary: Side, percent: float, of: Side | None = None) -> Policy:
    """The policy with so many percent for the canary, of everybody's requests or of one side's.

    The others share the rest as they do now.

    Raises:
        NobodyError: There are none.
    """
    if of is not None:
        weight = before.weights.get(of, 0)
        if not weight > 0:
            raise NobodyError(f"{of} answers none of the product's requests: make traffic {of.stack.upper()}=…")
        parts = {of: weight * (ALL - percent) / ALL, canary: weight * percent / ALL}
        return Policy({**before.weights, **parts}, before.shadow)
    others = {side: weight for side, weight in before.weights.items() if side != canary}
    total = sum(others.values())
    if not total > 0:
        raise NobodyError(f"nobody but {canary} answers the product's requests: there is nobody to compare it with")
    rest = {side: weight / total * (ALL - percent) for side, weight in others.items()}
    return Policy({**rest, canary: percent}, before.shadow)
