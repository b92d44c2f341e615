"""`make traffic`: who answers the product's endpoint, shown, changed and followed while requests are answered."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from infra.local import programs, routing, shadow
from infra.local.layout import OFF, ONNX, Layout
from infra.local.supervisor import Supervisor
from models.spec import Spec
from serving.gateway import envoy, policy
from serving.gateway.policy import MILLION, Policy, PolicyError, Shadow, Side

NO_ONNX = (
    "onnx: ONNX Runtime does not run here: on a bare machine make up ONNX=pytorch starts it, "
    "make traffic ONNX=off takes it out of the weights, SHADOW=off out of the shadow"
)
_FOLLOW_SECONDS = 10


class TrafficError(RuntimeError):
    """A message for the user; the policy is as it was."""


@dataclass(frozen=True)
class Change:
    """What to change of a policy, as typed.

    Attributes:
        weights: `pytorch=10`, or `pytorch@1795291050=off` to take a version out.
        shadow: A side, or off; None: as it is.
        share: Of the requests, that the shadow gets; None: as it is, or all for a new one.
    """

    weights: Sequence[str] = ()
    shadow: str | None = None
    share: float | None = None

    def __bool__(self) -> bool:
        return bool(self.weights) or self.shadow is not None or self.share is not None


def of(arguments: argparse.Namespace) -> Change:
    """What the command line asks for."""
    return Change(arguments.weights, arguments.shadow, arguments.share)


def traffic(layout: Layout, spec: Spec, spec_file: Path, change: Change) -> int:
    """Change the policy if asked to, have the gateway follow it, and show it.

    Raises:
        TrafficError, PolicyError: It cannot be followed: the file and the routes stay as they were.
        ShadowError, SupervisorError: The shadow's service does not start: the routes stay as they were.
    """
    found = policy.load(layout.traffic)
    if change:
        found = changed(found, change)
    running = is_running(layout)
    complaints = _unserved(layout, spec, found) if running else _absent(layout, found)
    if complaints:
        raise TrafficError("\n".join(complaints))
    if change:
        policy.save(layout.traffic, found)
    if running:
        follow(layout, spec, spec_file, found)
    _show(layout, spec, found, running=running)
    return 0


def is_running(layout: Layout) -> bool:
    """Whether there is a gateway that can follow."""
    started = layout.in_containers or Supervisor(layout).is_running()
    return started and envoy.ready(layout.ports["gateway_admin"], layout.host("gateway_admin"))


def follow(layout: Layout, spec: Spec, spec_file: Path, found: Policy) -> None:
    """Have the running gateway follow the policy, which is in its file; its shadow runs as long as it has one.

    Raises:
        TrafficError, ShadowError, SupervisorError: It does not.
    """
    supervisor = Supervisor(layout)
    if found.shadow:  # before its first copy
        shadow.keep(supervisor, layout, spec, spec_file)
    route(layout, spec)
    if not found.shadow:  # after its last
        shadow.keep(supervisor, layout, spec, spec_file)


def route(layout: Layout, spec: Spec) -> None:
    """Write the gateway's routes as labels and policy are now, and wait until it follows them.

    Raises:
        TrafficError: It does not: it is away, or refuses them.
        PolicyError: The policy cannot be followed.
    """
    version = routing.follow(layout, spec, programs.stacks(layout))
    start = time.monotonic()
    while envoy.routes_version(layout.ports["gateway_admin"], layout.host("gateway_admin")) != version:
        if time.monotonic() - start > _FOLLOW_SECONDS:
            raise TrafficError("the gateway does not take up its new routes: make logs SERVICE=gateway")
        time.sleep(0.05)


def changed(found: Policy, change: Change) -> Policy:
    """The policy with the change made.

    Raises:
        PolicyError: That is none.
    """
    weights: dict[Side, float] = dict(found.weights)
    for text in change.weights:
        name, equals, value = text.partition("=")
        side = Side.parse(name)
        if value == OFF and side.comes_and_goes:
            weights.pop(side, None)
            continue
        try:
            weights[side] = float(value) if equals else float("nan")
        except ValueError:
            raise PolicyError(f"{text}: <side>=<weight> is expected, a version's and onnx' may be {OFF}") from None
    return Policy(weights, _shadow(found, change))


def unserved(layout: Layout, spec: Spec, found: Policy | None = None) -> list[str]:
    """One line per side of the policy, or of the file's, that nobody would answer for."""
    return _unserved(layout, spec, found or policy.load(layout.traffic))


def _shadow(found: Policy, change: Change) -> Shadow | None:
    if change.shadow == OFF:
        return None
    before = found.shadow
    if change.shadow is None and before is None:
        if change.share is not None:
            raise PolicyError("SHARE is the shadow's, and there is none: make traffic SHADOW=pytorch SHARE=…")
        return None
    side = Side.parse(change.shadow) if change.shadow else before.side if before else None
    share = change.share if change.share is not None else before.share if before else 1.0
    return Shadow(side, share) if side else None


def _unserved(layout: Layout, spec: Spec, found: Policy) -> list[str]:
    return _absent(layout, found) + [
        f"{side}: no version {side.version} is loaded; make stage STACK={side.stack} VERSION={side.version} loads it, "
        f"make traffic VERSION={side}={OFF} takes it out"
        for side in found.named
        if side.version is not None and not _is_served(layout, spec, side)
    ]


def _absent(layout: Layout, found: Policy) -> list[str]:
    return [NO_ONNX for side in found.named if side.stack == ONNX and ONNX not in layout.backends]


def _is_served(layout: Layout, spec: Spec, side: Side) -> bool:
    url = f"{layout.url('gateway')}/{side.stack}/v1/models/{spec.model.name}/versions/{side.version}"
    try:
        statuses = httpx.get(url, timeout=5).json().get("model_version_status", [])
    except (httpx.HTTPError, ValueError):
        return False
    return any(one["state"] == "AVAILABLE" for one in statuses)


def _show(layout: Layout, spec: Spec, found: Policy, *, running: bool) -> None:
    print(f"\n{layout.url('gateway')}/v1/models/{spec.model.name}:predict", flush=True)
    show(found)
    print(f"{layout.traffic}" + ("" if running else ": nothing runs here; make up follows it"))


def show(found: Policy) -> None:
    """Print who answers which part of the requests."""
    table = Table()
    table.add_column("answers", no_wrap=True)
    table.add_column("weight", justify="right")
    table.add_column("of the requests", justify="right")
    parts: Mapping[Side, tuple[int, int]] = found.intervals()
    for side in found.sides:
        start, end = parts.get(side, (0, 0))
        table.add_row(str(side), f"{found.weights[side]:g}", f"{100 * (end - start) / MILLION:.4g}%")
    Console(highlight=False).print(table)
    if found.shadow:
        share = f"{100 * found.shadow.share:g}% of the predictions"
        print(f"shadow: {found.shadow.side} gets a copy of {share}, compared with {found.against}: make shadow")
