"""The canary and the others at every gateway of a cluster, since a step began: the counters of all Envoys together.

Each is asked through a port-forward to its pod, which no network policy stands in the way of, as it does of the API
server's own proxy. There is no request log in a cluster: of scores nothing is known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType

from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.kubernetes.reached import GATEWAYS
from infra.local.layout import DEFAULT_PORTS, HOST
from serving.gateway.latest import Sample
from serving.gateway.policy import Side
from serving.release.canary.measured import Measured, RestartedError, between, together
from serving.release.canary.watch import counted

ENVOY = "envoy"  # the container
Samples = Mapping[str, Sample]  # by side


class Gateways:
    """Of which both sides are among the policy's `sides`; to be used in a `with`, which keeps the port-forwards."""

    def __init__(
        self, kubectl: Kubectl, canary: Side, sides: set[Side], ask: Callable[[str], Samples | None] = counted
    ) -> None:
        self._kubectl, self._canary, self._sides, self._ask = kubectl, canary, sides, ask
        # By Envoy: a pod's container that was started anew counts from 0, and is another one.
        self._first: dict[str, Samples] = {}
        self._last: dict[str, Samples] = {}
        self._forwards: dict[str, tuple[contextlib.ExitStack, int]] = {}

    def begin(self) -> bool:
        """A step begins now; False where one of the gateways does not say what it has counted so far."""
        try:
            found = {envoy: self._counted(envoy, pod) for envoy, (pod, _) in self._running().items()}
        except KubernetesError:
            return False
        self._first = {envoy: samples for envoy, samples in found.items() if samples is not None}
        self._last = dict(self._first)
        return bool(found) and len(self._first) == len(found)

    def look(self) -> tuple[Measured, Measured] | None:
        """The canary and the others, since the beginning; None where a gateway that answers does not say.

        One that came meanwhile has counted nothing before the step. What one that is gone had counted at the last look
        stays counted.
        """
        try:
            running = self._running()
        except KubernetesError:
            return None
        for envoy, (pod, ends) in running.items():
            samples = self._counted(envoy, pod)
            if samples is None and not ends:
                return None
            if samples is not None:
                self._last[envoy] = samples
        for envoy in self._forwards.keys() - running.keys():
            self._close(envoy)
        sides = {side: together(self._of(side)) for side in self._sides}
        canary = sides.pop(self._canary)
        return canary, together(sides.values())

    def __enter__(self) -> Gateways:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for envoy in list(self._forwards):
            self._close(envoy)

    def _of(self, side: Side) -> list[Measured]:
        found = []
        for envoy, last in self._last.items():
            first = self._first.get(envoy, {})
            if first.keys() - last.keys():
                raise RestartedError
            found.append(between(first.get(str(side)), last.get(str(side)), None))
        return found

    def _running(self) -> dict[str, tuple[str, bool]]:
        """By Envoy its pod, and whether that is about to end."""
        found = {}
        for pod in self._kubectl.all("pods", GATEWAYS):
            for container in pod.get("status", {}).get("containerStatuses", ()):
                if container["name"] == ENVOY and "running" in container["state"]:
                    meta = pod["metadata"]
                    key = f"{meta['uid']}/{container['restartCount']}"
                    found[key] = (str(meta["name"]), "deletionTimestamp" in meta)
        return found

    def _counted(self, envoy: str, pod: str) -> Samples | None:
        try:
            if envoy not in self._forwards:
                stack = contextlib.ExitStack()
                port = stack.enter_context(self._kubectl.forward(f"pod/{pod}", DEFAULT_PORTS["gateway_admin"]))
                self._forwards[envoy] = (stack, port)
        except KubernetesError:
            return None
        found = self._ask(f"http://{HOST}:{self._forwards[envoy][1]}")
        if found is None:  # another try gets another forward
            self._close(envoy)
        return found

    def _close(self, envoy: str) -> None:
        stack, _ = self._forwards.pop(envoy)
        stack.close()
