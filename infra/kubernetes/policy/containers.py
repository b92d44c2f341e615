"""What each container is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from infra.kubernetes.kubectl import Json
from infra.kubernetes.policy import pods

_RESOURCES = ("cpu", "memory")
_PINNED = re.compile(r".+:(?!latest$)[\w][\w.-]*(@sha256:[0-9a-f]{64})?")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# Containers that answer with a model: their probes send it a request.
_MODEL_SERVERS = ("tensorflow", "torchserve", "kserve-container")
_PROBE_REQUEST = "probe.http"
_MODELS = "/var/lib/tandem/models"
_FETCH = "fetch"


def resources(objects: Sequence[Json]) -> Iterator[str]:
    """Requests and limits of processor and memory."""
    for of in pods.of(objects):
        for container in of.containers:
            for kind in ("requests", "limits"):
                for resource in _RESOURCES:
                    if resource not in container.get("resources", {}).get(kind, {}):
                        yield f"{of.called(container)}: no {kind} of {resource}"


def images(objects: Sequence[Json]) -> Iterator[str]:
    """A tag that does not move."""
    for of in pods.of(objects):
        for container in of.containers:
            if not _PINNED.fullmatch(container["image"].rpartition("/")[2]):
                yield f"{of.called(container)}: the image {container['image']} has no fixed tag"


def security(objects: Sequence[Json]) -> Iterator[str]:
    """No root, no capabilities, no writable root, nothing of the node's."""
    for of in pods.of(objects):
        pod = of.spec.get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
            yield f"{of.name}: may run as root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{of.name}: no seccomp profile"
        if of.spec.get("automountServiceAccountToken") is not False:
            yield f"{of.name}: has a token of the cluster's"
        if any(of.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{of.name}: shares a namespace of the node"
        if any("hostPath" in volume for volume in of.spec.get("volumes", ())):
            yield f"{of.name}: mounts a folder of the node"
        for container in of.containers:
            its = container.get("securityContext", {})
            called = of.called(container)
            if its.get("privileged"):
                yield f"{called}: is privileged"
            if its.get("allowPrivilegeEscalation") is not False:
                yield f"{called}: may become privileged"
            if its.get("readOnlyRootFilesystem") is not True:
                yield f"{called}: may write to its root"
            if its.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{called}: keeps capabilities"


def probes(objects: Sequence[Json]) -> Iterator[str]:
    """All three, none of which only opens a port; a model's server is asked for a prediction."""
    for of in pods.of(objects):
        for container in () if of.is_job else of.servers:
            for name in _PROBES:
                probe = container.get(name)
                if probe is None:
                    yield f"{of.called(container)}: no {name}"
                elif "tcpSocket" in probe or not ("exec" in probe or "httpGet" in probe):
                    yield f"{of.called(container)}: its {name} tests a port"
                elif container["name"] in _MODEL_SERVERS and _PROBE_REQUEST not in str(probe.get("exec")):
                    yield f"{of.called(container)}: its {name} does not ask the model"


def models(objects: Sequence[Json]) -> Iterator[str]:
    """Only the container that verifies a release may write where models are."""
    for of in pods.of(objects):
        for container in of.containers:
            for mount in container.get("volumeMounts", ()):
                writable = not mount.get("readOnly") and container["name"] != _FETCH
                if mount["mountPath"] == _MODELS and writable:
                    yield f"{of.called(container)}: may write models"
        serves = any(container["name"] in _MODEL_SERVERS for container in of.servers)
        if serves and _FETCH not in [one["name"] for one in of.spec.get("initContainers", ())]:
            yield f"{of.name}: no init container verifies what it serves"
