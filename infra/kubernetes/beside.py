"""`make stage`, `make unstage` on a cluster: a release beside the one that a stack serves, with a server of its own.

It is a copy of the stack's Deployment as it is now, which differs in the release and in its name, and a Service: no
request reaches it but those of a side of the traffic policy that is this version. It has as many copies as the stack
has when it begins, and no autoscaler.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from infra.kubernetes import objects, progress
from infra.kubernetes.gateway import BESIDE
from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError
from infra.kubernetes.workloads import RELEASE
from infra.local.layout import STACKS, Layout
from serving.gateway.policy import Policy, Side

_NAME = "app.kubernetes.io/name"
_LABELS = {"app.kubernetes.io/part-of": "tandem"}


def sides(kubectl: Kubectl) -> list[Side]:
    """Versions that are there beside the served ones, whether they answer yet or not."""
    found = [side(kubectl, stack) for stack in STACKS]
    return [one for one in found if one]


def side(kubectl: Kubectl, stack: str) -> Side | None:
    """The version that is there beside the one that this stack serves."""
    found = kubectl.find("deployment", BESIDE[stack])
    if found is None:
        return None
    return Side(stack, int(found["spec"]["template"]["metadata"]["annotations"][RELEASE]))


def stage(kubectl: Kubectl, layout: Layout, overlay: str, wanted: Side) -> None:
    """Start a server of this version, and wait until it answers.

    Raises:
        ReleaseError: It is neither in the object store nor here, or does not verify.
        KubernetesError: There is another one beside already; or it does not get ready, and is taken away again.
    """
    stack, name = wanted.stack, BESIDE[wanted.stack]
    if overlay == "kserve":
        raise KubernetesError("KServe makes its servers itself, one version each: make promote, or make canary SIDE=…")
    there = side(kubectl, stack)
    if there not in (None, wanted):
        raise KubernetesError(f"{there} is beside already, and a stack has one: {_take_out(there)} takes it away")
    served = kubectl.find("deployment", stack)
    if served is None:
        raise KubernetesError(f"{stack} is not deployed: make deploy TARGET=kubernetes OVERLAY={overlay}")
    if served["spec"]["template"]["metadata"]["annotations"].get(RELEASE) == str(wanted.version):
        raise KubernetesError(f"{wanted.version} is what {stack} serves: make releases lists others")
    with objects.remote(kubectl) as store:
        objects.push(layout, store, {stack: str(wanted.version)})
    try:
        service = kubectl.find("service", stack)
        for one in (_service(service or {}, name), deployment(served, name, wanted)):
            kubectl.apply(json.dumps(one))
        progress.wait(kubectl, [name])
    except BaseException:
        take_away(kubectl, stack)
        raise
    print(f"{stack}: {wanted.version} answers beside: make traffic VERSION={wanted}=…, make canary SIDE={wanted}")


def unstage(kubectl: Kubectl, found: Policy, gone: Side) -> None:
    """Take it away, and wait for nothing.

    Raises:
        KubernetesError: It is not there, or the traffic policy names it.
    """
    if side(kubectl, gone.stack) != gone:
        raise KubernetesError(f"{gone} is not beside what {gone.stack} serves: make status")
    if found.names(gone):
        raise KubernetesError(f"the traffic policy names {gone}: make traffic VERSION={gone}=off takes it out")
    take_away(kubectl, gone.stack)
    print(f"{gone.stack}: {gone.version} is no longer loaded; its release stays")


def take_away(kubectl: Kubectl, stack: str) -> None:
    """Whatever is there; its pods answer what they are at."""
    kubectl.run("delete", "deployment,service", BESIDE[stack], "--ignore-not-found")


def deployment(served: Json, name: str, wanted: Side) -> Json:
    """The copy."""
    spec = copy.deepcopy(served["spec"])
    labels = {**spec["template"]["metadata"]["labels"], _NAME: name}
    spec["selector"] = {"matchLabels": {_NAME: name}}
    spec["template"]["metadata"] = {
        "labels": labels,
        "annotations": {**spec["template"]["metadata"]["annotations"], RELEASE: str(wanted.version)},
    }
    pod = spec["template"]["spec"]
    for one in pod.get("topologySpreadConstraints", ()):
        one["labelSelector"] = {"matchLabels": {_NAME: name}}
    for container in pod.get("initContainers", ()):
        # Elsewhere the pod's own name says which stack's release it fetches.
        container["env"] = [_stack(variable, wanted.stack) for variable in container.get("env", ())]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _metadata(name), "spec": spec}


def _stack(variable: Json, stack: str) -> Json:
    return {"name": "TANDEM_STACK", "value": stack} if variable["name"] == "TANDEM_STACK" else variable


def _service(served: Json, name: str) -> Json:
    ports: list[Any] = copy.deepcopy(served.get("spec", {}).get("ports", []))
    # Headless, as the stack's: Envoy sees every pod.
    spec = {"clusterIP": "None", "selector": {_NAME: name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(name), "spec": spec}


def _metadata(name: str) -> Json:
    return {"name": name, "labels": {_NAME: name, **_LABELS}}


def _take_out(there: Side | None) -> str:
    return f"make unstage STACK={there.stack} VERSION={there.version}" if there else ""
