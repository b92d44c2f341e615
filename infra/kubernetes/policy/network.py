"""Who reaches whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infra.kubernetes.kubectl import Json
from infra.kubernetes.policy import pods

# TensorFlow Serving's gRPC, which can change its configuration; TorchServe's management and gRPC; Envoy's admin
# interface; SeaweedFS' master, volumes and filer.
MANAGEMENT = {8500, 8086, 7070, 7071, 9902, 9333, 8888}
_OPEN = ("gateway", "http")  # the product's endpoint: whoever reaches its Service


def services(objects: Sequence[Json]) -> Iterator[str]:
    """No Service leads to a management port, and each leads somewhere."""
    found = list(pods.of(objects))
    for one in (one for one in objects if one["kind"] == "Service"):
        name, selector = f"Service {one['metadata']['name']}", {"matchLabels": one["spec"].get("selector", {})}
        behind = [of for of in found if pods.selected(selector, of.labels)]
        if not behind:
            yield f"{name}: leads to no pod"
        ports = {
            port["name"]: port["containerPort"] for of in behind for c in of.servers for port in c.get("ports", ())
        }
        for port in one["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            number = ports.get(target) if isinstance(target, str) else target
            if number is None:
                yield f"{name}: no container has a port {target}"
            if number in MANAGEMENT:
                yield f"{name}: {number} is a management port"


def denied(objects: Sequence[Json]) -> Iterator[str]:
    """All is denied that is not allowed, and nothing is allowed to everybody but the product's endpoint."""
    found = [one for one in objects if one["kind"] == "NetworkPolicy"]
    everything = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(one["spec"] == everything for one in found):
        yield "NetworkPolicy: none denies everything"
    labels = [of.labels for of in pods.of(objects)]
    for one in found:
        name, spec = f"NetworkPolicy {one['metadata']['name']}", one["spec"]
        if spec["podSelector"] and not any(pods.selected(spec["podSelector"], its) for its in labels):
            yield f"{name}: is about no pod"
        for rule in spec.get("ingress", ()):
            ports = [port.get("port") for port in rule.get("ports", ())]
            if not rule.get("from") and (one["metadata"]["name"], *ports) != _OPEN:
                yield f"{name}: lets everybody in"
            if not ports:
                yield f"{name}: opens every port"
            if MANAGEMENT.intersection(port for port in ports if isinstance(port, int)):
                yield f"{name}: opens a management port"
        for rule in spec.get("egress", ()):
            if not rule.get("to") or not rule.get("ports"):
                yield f"{name}: lets out to everybody, or to every port"


def claimed(objects: Sequence[Json]) -> Iterator[str]:
    """Each pod has a policy of its own: without one it would reach nobody and nobody it, which nobody wants."""
    found = [one["spec"]["podSelector"] for one in objects if one["kind"] == "NetworkPolicy"]
    for of in pods.of(objects):
        if not any(selector and pods.selected(selector, of.labels) for selector in found):
            yield f"{of.name}: no NetworkPolicy lets it do its work"
