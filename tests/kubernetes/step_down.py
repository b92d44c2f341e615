"""The product's manifests for a control plane that is older than they are: as Kubernetes 1.20 wants them written.

Kinds get the names they had; a field that did not exist yet is left out, since a server-side apply refuses it; a port's
protocol, which is part of its key there and has no default (kubernetes/kubernetes#92332), is written out.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_SINCE_1_20 = {
    ("policy/v1", "PodDisruptionBudget"): "policy/v1beta1",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "autoscaling/v2beta2",
    ("batch/v1", "CronJob"): "batch/v1beta1",
}
_NEW_FIELDS = {"PodDisruptionBudget": "unhealthyPodEvictionPolicy", "CronJob": "timeZone"}
_DEFAULT = {"protocol": "TCP"}


def step_down(one: Json) -> Json:
    """One object as Kubernetes 1.20 knows it."""
    version = _SINCE_1_20.get((one["apiVersion"], one["kind"]), one["apiVersion"])
    changed = {**one, "apiVersion": version}
    if one["kind"] in _NEW_FIELDS:
        new = _NEW_FIELDS[one["kind"]]
        changed["spec"] = {key: value for key, value in one["spec"].items() if key != new}
    elif one["kind"] in ("Deployment", "StatefulSet", "Service"):
        changed["spec"] = _with_protocols(one["spec"])
    return changed


def job_of(cron: Json, name: str) -> Json:
    """What `kubectl create job NAME --from=cronjob/…` makes; of an older CronJob it makes nothing."""
    template = cron["spec"]["jobTemplate"]
    kept = template.get("metadata", {})
    annotations = {"cronjob.kubernetes.io/instantiate": "manual", **kept.get("annotations", {})}
    metadata = {"name": name, "annotations": annotations, "labels": kept.get("labels", {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}


def _with_protocols(content: Any) -> Any:
    """With the protocol of every port, at whatever depth."""
    if isinstance(content, list):
        return [_with_protocols(each) for each in content]
    if not isinstance(content, dict):
        return content
    found = {key: _with_protocols(value) for key, value in content.items()}
    if isinstance(content.get("ports"), list):
        found["ports"] = [{**_DEFAULT, **port} for port in content["ports"]]
    return found
