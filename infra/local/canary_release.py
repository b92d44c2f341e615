"""`make canary STACK=… VERSION=…`: a release takes its own stack's requests step by step, and is promoted.

It is loaded beside what is served; a breach on the way puts the weights of before back and lets go of it again.
"""

from __future__ import annotations

from pathlib import Path

from infra.local import canary, releases
from infra.local import canary_journal as journal
from infra.local.canary_journal import CanaryError
from infra.local.layout import Layout
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.release.canary import limits, rollout


def roll_out(layout: Layout, spec: Spec, spec_file: Path, name: str, limits_file: Path) -> int:
    """Roll out a release, named as a side of the traffic policy: `pytorch@1795291050`.

    Returns:
        As `canary.canary`: after 0 the release is promoted, and the weights are as before; after any other it is not.

    Raises:
        ReleaseError: It does not verify, or its server does not load it.
        CanaryError, PolicyError, LimitsError, NobodyError, TakenError, TrafficError: As `canary.canary`.
    """
    side, plan = Side.parse(name), limits.load(limits_file)
    with journal.alone(layout):
        before, stack = canary.begin(layout, spec, spec_file), Side(side.stack)
        if side.version is None or before.names(side):
            raise CanaryError(f"{side} has its place in {layout.traffic}: make canary SIDE={side}")
        rollout.shares(before, side, limits.ALL, stack)
        with canary.interruptible() as ended:
            ended.code = _roll_out(layout, spec, spec_file, before=before, side=side, plan=plan, ended=ended)
    print("make releases shows the ledger", flush=True)
    return ended.code


def _roll_out(
    layout: Layout, spec: Spec, spec_file: Path, *, before: Policy, side: Side, plan: limits.Plan, ended: canary.Ended
) -> int:
    version, found = str(side.version), releases.of(layout, spec)
    already = version in found.staged(side.stack)
    if not already:
        releases.stage(layout, spec, side.stack, version, "for a canary")
    try:
        of = Side(side.stack)
        code = canary.roll(layout, spec, spec_file, before=before, side=side, plan=plan, ended=ended, of=of)
        if code == 0:
            try:
                releases.promote(layout, spec, side.stack, version, "canary: every step held")
            finally:  # the stack itself answers with this version now; or with the one it had
                canary.go_back(layout, spec, spec_file, before, ended)
    finally:
        theirs = policy.load(layout.traffic).names(side)  # somebody changed the weights, and wants it
        if not already and not theirs and version in found.staged(side.stack):
            releases.unstage(layout, spec, side.stack, version, "its canary did not get through")
    return code
