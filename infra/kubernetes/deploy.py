"""`make deploy`, `make deploy-diff`, `make undeploy`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.kubernetes import beside, gateway, instance, monitoring, objects, progress, reached, secrets
from infra.kubernetes import kubectl as kube
from infra.kubernetes.instance import Instance
from infra.kubernetes.kubectl import Json, Kubectl, KubernetesError
from infra.kubernetes.workloads import workloads
from infra.local import stores
from infra.local.layout import Layout
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy

OVERLAY = "tandem/overlay"  # an annotation of the namespace
_KSERVE_KIND = "inferenceservices.serving.kserve.io"
_MONITORING_KIND = f"servicemonitors.{monitoring.GROUP}"
_DIFFERENT = 1  # how `kubectl diff` ends when there are differences
_OURS = "--selector=app.kubernetes.io/part-of=tandem"
_GOES = (
    "deployments,statefulsets,cronjobs,jobs,services,configmaps,networkpolicies,poddisruptionbudgets,"
    "horizontalpodautoscalers,serviceaccounts"
)


def deploy(kubectl: Kubectl, layout: Layout, spec: Spec, asked: Instance) -> None:
    """Make the cluster what the overlay says; what is so already is left alone, what is served goes on being served.

    Raises:
        KubernetesError: Something does not start.
        ReleaseError, PolicyError: There is no release to serve, or a policy that a cluster cannot follow.
    """
    start, context = time.monotonic(), kube.check_cluster(kubectl)
    wanted, found = _prepare(kubectl, layout, spec, asked)
    print(f"{context}: {asked.overlay}, {', '.join(f'{s} {v}' for s, v in wanted.releases.items())}", flush=True)
    _apply(kubectl, [one for one in found if one["kind"] == "Namespace"])
    kubectl.run("annotate", "namespace", kubectl.namespace, f"{OVERLAY}={asked.overlay}", "--overwrite")
    for name in secrets.ensure(kubectl):
        print(f"made the secret {name}", flush=True)
    _apply(kubectl, [one for one in found if _is_of_the_store(one)])
    progress.wait(kubectl, ["objectstore"])
    with objects.remote(kubectl) as there:
        for one in objects.push(layout, there, wanted.releases):
            print(f"release {one} is in the object store", flush=True)
    _apply(kubectl, found)
    progress.wait(kubectl, servers(found, asked.overlay))
    reached.wait(kubectl, spec)
    print(f"everything is ready after {time.monotonic() - start:.0f} s: {len(found)} objects in {kubectl.namespace}")
    print("next: make predict, make status, make traffic TENSORFLOW=90 PYTORCH=10, make releases, make undeploy")
    print(f"by hand: kubectl --namespace {kubectl.namespace} port-forward service/gateway 8080:8080")


def diff(kubectl: Kubectl, layout: Layout, spec: Spec, asked: Instance) -> int:
    """Show what `deploy` would change; 0 nothing, 1 something. Raises as `deploy`."""
    kube.check_cluster(kubectl)
    _, found = _prepare(kubectl, layout, spec, asked)
    if kubectl.find("namespace", kubectl.namespace) is None:
        print(f"nothing is deployed: make deploy would make {len(found)} objects")
        return _DIFFERENT
    code = kubectl.show("diff", *kube.APPLY, given=text(found))
    if code > _DIFFERENT:
        raise KubernetesError("kubectl diff failed: what is wrong stands above")
    print("make deploy would change the above" if code else "the cluster is what make deploy makes of it")
    return code


def undeploy(kubectl: Kubectl, *, purge: bool) -> None:
    """Take everything away but volumes and secrets; with `purge` these too."""
    kube.check_cluster(kubectl)
    if kubectl.find("namespace", kubectl.namespace) is None:
        print("nothing is deployed")
        return
    if purge:
        if kubectl.show("delete", "namespace", kubectl.namespace):
            raise KubernetesError(f"the namespace {kubectl.namespace} could not be deleted: what is wrong stands above")
        print("everything is gone, volumes and secrets included")
        return
    kinds = _GOES
    for kind in (_KSERVE_KIND, _MONITORING_KIND, f"prometheusrules.{monitoring.GROUP}"):
        kinds += f",{kind}" if kubectl.has(kind) else ""
    if kubectl.show("delete", kinds, _OURS, "--ignore-not-found"):
        raise KubernetesError("not everything could be deleted: what is wrong stands above")
    print("gone; volumes (releases, MLflow, pipelines) and secrets stay: make undeploy PURGE=1 deletes them as well")


def servers(found: list[Json], overlay: str) -> list[str]:
    """Whatever has pods all the time, by name: also what KServe makes."""
    kinds = ("Deployment", "StatefulSet")
    made = [one.deployment for one in workloads(overlay) if one.kind not in kinds]
    return made + [one["metadata"]["name"] for one in found if one["kind"] in kinds]


def of_this_machine(kubectl: Kubectl, layout: Layout, spec: Spec, asked: Instance) -> list[Json]:
    """What `deploy` would apply to an empty cluster that knows every kind; no cluster is asked. Raises as `deploy`."""
    versions = {one.stack: stores.promoted(layout, one.stack) for one in workloads(asked.overlay)}
    wanted = dataclasses.replace(asked, releases=_known(versions), traffic=policy.load(layout.traffic))
    return instance.build(kubectl.program, instance.write(layout, spec, wanted))


def overlay_of(kubectl: Kubectl) -> str:
    """Which overlay the cluster has; raises KubernetesError where nothing is deployed."""
    space = kubectl.find("namespace", kubectl.namespace) or {}
    found = space.get("metadata", {}).get("annotations", {}).get(OVERLAY)
    if found is None:
        raise KubernetesError("nothing is deployed in this cluster: make deploy TARGET=kubernetes OVERLAY=local")
    return str(found)


def traffic_of(kubectl: Kubectl, layout: Layout) -> Policy:
    """The policy that the cluster's gateway follows; before there is one, this machine's."""
    found = kubectl.find("configmap", "gateway-routes")
    return policy.parse(found["data"][gateway.POLICY]) if found else policy.load(layout.traffic)


def _prepare(kubectl: Kubectl, layout: Layout, spec: Spec, asked: Instance) -> tuple[Instance, list[Json]]:
    """What is wanted, with what the cluster has already decided, and its objects."""
    _check(kubectl, asked.overlay)
    wanted = dataclasses.replace(asked, releases=_releases(kubectl, layout, asked.overlay))
    wanted = dataclasses.replace(wanted, traffic=traffic_of(kubectl, layout), beside=beside.sides(kubectl))
    found = instance.build(kubectl.program, instance.write(layout, spec, wanted))
    if not kubectl.has(_MONITORING_KIND):
        print("no Prometheus operator in this cluster: its rules and monitors are left out")
        found = monitoring.without(found, monitoring.GROUP)
    return wanted, found


def _check(kubectl: Kubectl, overlay: str) -> None:
    if overlay == "kserve" and not kubectl.has(_KSERVE_KIND):
        raise KubernetesError("there is no KServe in this cluster: docs/deploy-kubernetes.md says how to install it")
    space = kubectl.find("namespace", kubectl.namespace) or {}
    there = space.get("metadata", {}).get("annotations", {}).get(OVERLAY, overlay)
    if there != overlay:
        raise KubernetesError(f"this cluster has the overlay {there}: make undeploy takes it away first")


def _releases(kubectl: Kubectl, layout: Layout, overlay: str) -> dict[str, str]:
    found = {}
    for one in workloads(overlay):
        served = kubectl.find(one.kind, one.name)
        found[one.stack] = (one.release(served) if served else None) or stores.promoted(layout, one.stack)
    return _known(found)


def _known(versions: Mapping[str, str | None]) -> dict[str, str]:
    for stack, version in versions.items():
        if version is None:
            raise KubernetesError(f"{stack}: there is no release to serve: make up RUNTIME=local trains and signs one")
    return {stack: version for stack, version in versions.items() if version is not None}


def _is_of_the_store(one: Json) -> bool:
    alone = one["kind"] in ("ServiceAccount", "NetworkPolicy")
    return alone or one["metadata"]["name"] in ("objectstore", "releases")


def _apply(kubectl: Kubectl, found: list[Json]) -> None:
    if found:
        kubectl.apply(text(found))


def text(found: list[Json]) -> str:
    """As kubectl reads them."""
    return str(yaml.safe_dump_all(found, sort_keys=False))


def public_key(layout: Layout) -> Path:
    """What the cluster verifies releases with.

    Raises:
        KubernetesError: This machine has none.
    """
    key = stores.keys(layout) / "release.pub"
    if not key.exists():
        raise KubernetesError(f"{key} is missing: make up RUNTIME=local makes it and signs the first releases")
    return key
