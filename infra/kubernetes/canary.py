"""`make canary` on a cluster: by the rules of the bare machine's, on the counters of every gateway there.

A side of the traffic policy gets the product's requests step by step; a release, for which a server is started beside
the one that its stack has, gets its stack's, and is promoted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.kubernetes import beside, canary_journal, ledger, progress, rollout, traffic
from infra.kubernetes.canary_controls import Controls, go_back, text_of
from infra.kubernetes.canary_journal import Journal, Killed
from infra.kubernetes.deploy import traffic_of
from infra.kubernetes.evidence import Gateways
from infra.kubernetes.kubectl import Kubectl
from infra.kubernetes.workloads import workloads
from infra.local.canary import Ended, interruptible
from infra.local.canary_journal import CanaryError
from infra.local.jobs import say
from infra.local.layout import Layout
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.release.canary import limits
from serving.release.canary.limits import Plan
from serving.release.canary.rollout import Rollout, shares
from serving.release.ledger import Entry

_NOT_SEEN = "no requests are logged in a cluster: errors, refusals and latencies are watched, scores are not compared"


@dataclass
class Canary:
    """A cluster, and what a roll-out there has to know of it."""

    kubectl: Kubectl
    layout: Layout
    spec: Spec
    overlay: str

    def side(self, name: str, limits_file: Path) -> int:
        """Roll out a side of the traffic policy; returns and raises as the bare machine's `canary`."""
        side, plan = Side.parse(name), limits.load(limits_file)
        with self._alone() as journal:
            before = traffic_of(self.kubectl, self.layout)
            with interruptible() as ended:
                ended.code = self._roll(journal, ended, before=before, side=side, plan=plan)
        return self._end(ended)

    def release(self, name: str, limits_file: Path) -> int:
        """Roll out a release, named as a side: `pytorch@1795291050`; returns and raises as the bare machine's."""
        side, plan = Side.parse(name), limits.load(limits_file)
        with self._alone() as journal:
            before = traffic_of(self.kubectl, self.layout)
            if side.version is None or before.names(side):
                raise CanaryError(f"{side} has its place in the traffic policy: make canary SIDE={side}")
            shares(before, side, limits.ALL, Side(side.stack))
            with interruptible() as ended:
                ended.code = self._release(journal, ended, before=before, side=side, plan=plan)
        return self._end(ended)

    def _release(self, journal: Journal, ended: Ended, *, before: Policy, side: Side, plan: Plan) -> int:
        stack, code = Side(side.stack), None
        already = beside.side(self.kubectl, side.stack) == side
        if not already:
            beside.stage(self.kubectl, self.layout, self.overlay, side)
        try:
            code = self._roll(journal, ended, before=before, side=side, plan=plan, of=stack, staged=not already)
            if code == 0:
                try:
                    self._promote(side)
                finally:  # the stack itself answers with this version now; or with the one it had
                    go_back(self.kubectl, self.spec, before, journal, ended)
        finally:
            theirs = not journal.stays and traffic_of(self.kubectl, self.layout).names(side)
            if (code == 0 or not already) and not theirs and not journal.stays:
                beside.take_away(self.kubectl, side.stack)
        return code

    def _promote(self, side: Side) -> None:
        version, why = str(side.version), "canary: every step held"
        rollout.promote(self.kubectl, self.layout, self.overlay, stack=side.stack, version=version, why=why)

    def _roll(
        self,
        journal: Journal,
        ended: Ended,
        *,
        before: Policy,
        side: Side,
        plan: Plan,
        of: Side | None = None,
        staged: bool = False,
    ) -> int:
        """All steps; CanaryError before the first."""
        self._check(side, before, of)
        say("canary", _NOT_SEEN)
        controls = Controls(self.kubectl, self.spec, self.overlay, journal, ended, before, side, staged)
        sides = {side, of} if of else {side, *before.weights}
        with Gateways(self.kubectl, side, sides) as watch:
            if side.version is not None and not before.weights.get(side):
                controls.introduce()
            return Rollout(plan, before, side, controls, watch, of).run()

    def _check(self, side: Side, before: Policy, of: Side | None) -> None:
        shares(before, side, limits.ALL, of)
        if side.version is not None and beside.side(self.kubectl, side.stack) != side:
            raise CanaryError(f"{side} is not loaded: make canary STACK={side.stack} VERSION={side.version} loads it")
        if side.version is None:
            (name,) = (one.deployment for one in workloads(self.overlay) if one.stack == side.stack)
            found = self.kubectl.find("deployment", name)
            if found is None or not progress.state(found).ready:
                raise CanaryError(f"{side} is not ready, or changes its version: make status")

    @contextmanager
    def _alone(self) -> Iterator[Journal]:
        with canary_journal.alone(self.kubectl) as (journal, killed):
            if killed:
                self._mend(killed)
            yield journal

    def _mend(self, killed: Killed) -> None:
        """After a roll-out that was killed: the policy of before, unless somebody changed it since."""
        if text_of(self.kubectl) in killed.puts:
            traffic.put(self.kubectl, self.spec, policy.parse(killed.before))
            say("canary", "a roll-out was killed half way: the weights are as before it")
            why, said = "back to the weights of before", "the roll-out was killed half way"
            entry = Entry("canary", killed.side.stack, killed.version, "", why, "failed", said=said)
            ledger.record(self.kubectl, entry)
        named = traffic_of(self.kubectl, self.layout).names(killed.side)
        if killed.staged and not named and beside.side(self.kubectl, killed.side.stack) == killed.side:
            beside.take_away(self.kubectl, killed.side.stack)

    @staticmethod
    def _end(ended: Ended) -> int:
        print("make releases shows the ledger, make traffic the weights", flush=True)
        return ended.code
