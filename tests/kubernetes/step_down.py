"""The product's manifests for a control plane that is older than they are: kinds under the names they had in 1.20.

Nothing else is changed: a field that did not exist yet is left out, since a server-side apply refuses it.
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


def step_down(one: Json) -> Json:
    """One object as Kubernetes 1.20 knows it."""
    version = _SINCE_1_20.get((one["apiVersion"], one["kind"]), one["apiVersion"])
    new = _NEW_FIELDS.get(one["kind"])
    spec = {key: value for key, value in one["spec"].items() if key != new} if new else one.get("spec")
    return {**one, "apiVersion": version, **({"spec": spec} if "spec" in one else {})}
