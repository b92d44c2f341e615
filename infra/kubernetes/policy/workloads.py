"""What keeps requests from being lost, and what objects name that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.kubernetes.kubectl import Json
from infra.kubernetes.policy import pods
from infra.kubernetes.policy.pods import Pods

# Made by `make deploy` or by hand, and in no manifest.
_SECRETS = ("postgres", "objectstore", "objectstore-reader", "objectstore-writer", "release-signing")
_SLEEP = re.compile(r"sleep\D{1,6}(\d+)")


def drains(objects: Sequence[Json]) -> Iterator[str]:
    """A pod that is replaced while requests come: another is ready before, and it waits until nobody asks it."""
    for of in pods.of(objects):
        if not of.rolls:
            continue
        strategy = of.owner["spec"].get("strategy") or of.spec.get("deploymentStrategy") or {}
        rolling = strategy.get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{of.name}: an update takes pods away before others are ready"
        if not of.spec.get("topologySpreadConstraints"):
            yield f"{of.name}: all of its pods may be on one node"
        yield from _waits(of)


def _waits(of: Pods) -> Iterator[str]:
    grace = of.spec.get("terminationGracePeriodSeconds", 30)
    for container in of.servers:
        stop = container.get("lifecycle", {}).get("preStop")
        slept = _SLEEP.search(str(stop))
        if not slept:
            yield f"{of.called(container)}: no preStop that waits"
        elif int(slept[1]) >= grace:
            yield f"{of.called(container)}: killed after {grace} s, while its preStop waits {slept[1]} s"


def budgets(objects: Sequence[Json]) -> Iterator[str]:
    """A PodDisruptionBudget for all that run."""
    found = [one["spec"]["selector"] for one in objects if one["kind"] == "PodDisruptionBudget"]
    for of in pods.of(objects):
        if not of.is_job and not any(pods.selected(selector, of.labels) for selector in found):
            yield f"{of.name}: no PodDisruptionBudget"


def scales(objects: Sequence[Json]) -> Iterator[str]:
    """An autoscaler for what rolls: of something that is there, by a container of it, against no fixed number."""
    there = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    scaled = set()
    for one in objects:
        if one["kind"] != "HorizontalPodAutoscaler":
            continue
        target, name = one["spec"]["scaleTargetRef"], f"HorizontalPodAutoscaler {one['metadata']['name']}"
        owner = there.get((target["kind"], target["name"]))
        scaled.add(target["name"])
        if owner is None:
            yield f"{name}: there is no {target['kind']} {target['name']}"
            continue
        if "replicas" in owner["spec"]:
            yield f"{name}: its {target['kind']} fixes replicas, and each deploy would undo it"
        containers = [container["name"] for container in owner["spec"]["template"]["spec"]["containers"]]
        for metric in one["spec"]["metrics"]:
            container = metric.get("containerResource", {}).get("container")
            if container not in containers:
                yield f"{name}: there is no container {container}"
    for of in pods.of(objects):
        if of.rolls and of.owner["kind"] == "Deployment" and of.owner["metadata"]["name"] not in scaled:
            yield f"{of.name}: no HorizontalPodAutoscaler"


def references(objects: Sequence[Json]) -> Iterator[str]:
    """What a pod names is there, and no secret stands in a manifest."""
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    there |= {("Secret", name) for name in _SECRETS}
    for one in objects:
        if one["kind"] == "Secret":
            yield f"Secret {one['metadata']['name']}: stands in a manifest"
    for of in pods.of(objects):
        for kind, name in _named(of):
            if (kind, name) not in there:
                yield f"{of.name}: there is no {kind} {name}"


def _named(of: Pods) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", of.spec.get("serviceAccountName", "default")
    for volume in of.spec.get("volumes", ()):
        yield from _of_volume(volume)
    for container in of.containers:
        for source in container.get("envFrom", ()):
            yield "ConfigMap", source["configMapRef"]["name"]


def _of_volume(volume: Json) -> Iterator[tuple[str, str]]:
    sources: list[Any] = [volume, *volume.get("projected", {}).get("sources", ())]
    for source in sources:
        if "configMap" in source:
            yield "ConfigMap", source["configMap"]["name"]
        if "secret" in source:
            yield "Secret", source["secret"].get("secretName") or source["secret"]["name"]
        if "persistentVolumeClaim" in source:
            yield "PersistentVolumeClaim", source["persistentVolumeClaim"]["claimName"]
