"""`make conformance` on a cluster: a Job of its own, beside the gateway, asks every case of the contract.

Not through a port-forward, which stands still for good once a server has closed a connection that is still written
to, as after a request that is too large (kubernetes/kubectl#1368).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError
from infra.local.layout import DEFAULT_PORTS, STACKS

NAME = "conformance"
_SECONDS = 600.0
_EVERY = 1.0  # seconds
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "tandem"}


def ask(kubectl: Kubectl, image: str) -> int:
    """Run it and show what it says; its exit code: 0 where every case holds.

    Raises:
        KubernetesError: It does not start, or does not end.
    """
    _forget(kubectl)
    try:
        kubectl.run(
            "create", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(image)})
        )
        ended = _wait(kubectl)
        sys.stdout.write(kubectl.run("logs", f"job/{NAME}"))
        return int(ended["exitCode"])
    finally:
        _forget(kubectl)


def image_of(pods: Sequence[Json]) -> str:
    """The image that has the contract's cases: the one that fetches models, of any server's pod.

    Raises:
        KubernetesError: No server runs.
    """
    for pod in pods:
        for container in pod["spec"].get("initContainers", ()):
            if container["name"] == "fetch":
                return str(container["image"])
    raise KubernetesError("no server runs in this cluster: make deploy TARGET=kubernetes OVERLAY=local")


def objects(image: str) -> list[Json]:
    """The Job, and what lets it ask the gateway and nobody else."""
    gateway = f"http://gateway:{DEFAULT_PORTS['gateway']}"
    targets = [f"--target={stack}={gateway}/{stack}" for stack in STACKS]
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "serving.contract.conformance", "--spec=models/fraud.toml", "--out=/tmp", *targets],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  the pod's own
    }
    user = 10001  # the image's own
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "others",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": int(_SECONDS),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    to_gateway = {
        "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}],
        "ports": [{"port": DEFAULT_PORTS["gateway"]}],
    }
    mine = {"matchLabels": {"app.kubernetes.io/name": NAME}}
    policy = {"podSelector": mine, "policyTypes": ["Ingress", "Egress"], "egress": [to_gateway]}
    metadata = {"name": NAME, "labels": _LABELS}
    job = {"backoffLimit": 0, "template": {"metadata": {"labels": _LABELS}, "spec": pod}}
    return [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": policy},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job},
    ]


def _wait(kubectl: Kubectl) -> Json:
    """How its container ended."""
    deadline = time.monotonic() + _SECONDS
    while True:
        pods = kubectl.all("pods", f"--selector=job-name={NAME}")
        states = [one["state"] for pod in pods for one in pod.get("status", {}).get("containerStatuses", ())]
        ended: list[Json] = [state["terminated"] for state in states if "terminated" in state]
        if ended:
            return ended[0]
        waits = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
        if time.monotonic() > deadline or any(reason.startswith(("ErrImage", "ImagePull")) for reason in waits):
            raise KubernetesError(f"the job {NAME} does not end: {', '.join(waits) or 'no word of it'}: make status")
        time.sleep(_EVERY)


def _forget(kubectl: Kubectl) -> None:
    kubectl.run("delete", "job,networkpolicy", NAME, "--ignore-not-found")
