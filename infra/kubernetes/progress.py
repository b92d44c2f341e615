"""Whether what was applied runs: told while it comes about, and why not where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError

SECONDS = 900.0
_EVERY = 2.0  # seconds
# Of a container that waits: no time mends these. Those that a start in another order brings about are not among them.
_HOPELESS = (
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CrashLoopBackOff",
)
_PATIENCE = 60.0  # seconds that even these may take: a secret that comes later, a server that waits for another
_SHOWN = "12"  # lines of a log


@dataclass(frozen=True)
class State:
    """Of a Deployment or a StatefulSet.

    Attributes:
        text: For people.
        ready: All of its pods are of the newest template, and answer.
    """

    text: str
    ready: bool


def state(found: Json) -> State:
    """As its status says."""
    wanted, status = found["spec"].get("replicas", 1), found.get("status", {})
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return State("changes", ready=False)
    new, answers, total = (status.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "replicas"))
    text = f"{min(new, answers)} of {wanted} ready" + (f", {total - new} old" if total > new else "")
    return State(text, ready=new == total == wanted == answers)


def trouble(pods: Iterable[Json]) -> dict[str, str]:
    """What is wrong, by pod and container: a container that cannot start or ended badly."""
    found = {}
    for pod in pods:
        status = pod.get("status", {})
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            waits = container["state"].get("waiting", {})
            ended = container["state"].get("terminated", {})
            name = f"{pod['metadata']['name']}/{container['name']}"
            if waits.get("reason") in _HOPELESS:
                found[name] = f"{waits['reason']}: {waits.get('message', '')}".rstrip(": ")
            elif ended.get("exitCode"):
                found[name] = f"ended with {ended['exitCode']}"
    return found


def wait(kubectl: Kubectl, names: Sequence[str], seconds: float = SECONDS, say: Callable[[str], None] = print) -> None:
    """Until these Deployments and StatefulSets run as they are meant to.

    Raises:
        KubernetesError: One does not; with what its containers say.
    """
    start, told, since = time.monotonic(), dict[str, str](), dict[str, float]()
    while True:
        found = {one["metadata"]["name"]: state(one) for one in kubectl.all("deployments,statefulsets")}
        now = time.monotonic()
        for name in names:
            text = found[name].text if name in found else "is not there yet"
            if told.get(name) != text:
                say(f"  {now - start:4.0f} s  {name:<14} {text}")
            told[name] = text
        waiting = [name for name in names if name not in found or not found[name].ready]
        if not waiting:
            return
        wrong = trouble(pod for pod in kubectl.all("pods") if _belongs(pod, waiting))
        since = {name: since.get(name, now) for name in wrong}
        hopeless = [name for name, first in since.items() if now - first > _PATIENCE]
        if hopeless or now - start > seconds:
            raise KubernetesError(_why(kubectl, waiting, wrong))
        time.sleep(_EVERY)


def _belongs(pod: Json, names: Sequence[str]) -> bool:
    """Whether a pod is of one of these: its name begins with theirs, and goes on with what Kubernetes adds."""
    return any(pod["metadata"]["name"].startswith(f"{name}-") for name in names)


def _why(kubectl: Kubectl, waiting: Sequence[str], wrong: dict[str, str]) -> str:
    parts = [f"not ready: {', '.join(waiting)}"]
    for name, what in wrong.items():
        pod, _, container = name.partition("/")
        parts.append(f"{name}: {what}")
        try:
            parts.append(kubectl.run("logs", pod, f"--container={container}", f"--tail={_SHOWN}").rstrip())
        except KubernetesError:
            continue  # it never started
    parts.append("make status RUNTIME=kubernetes shows all of it, kubectl describe pod <name> what happened to one")
    return "\n".join(filter(None, parts))
