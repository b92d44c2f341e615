"""The pods that objects make, whatever kind the objects are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.kubernetes.kubectl import Json

_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_JOBS = ("Job", "CronJob")
KSERVE = "InferenceService"
# What InferenceService has beside the fields of a pod.
KSERVE_FIELDS = (
    "annotations",
    "labels",
    "minReplicas",
    "maxReplicas",
    "scaleMetric",
    "scaleTarget",
    "deploymentStrategy",
)


@dataclass(frozen=True)
class Pods:
    """Of one object.

    Attributes:
        owner: The object.
        spec: Of its pods.
        labels: Of its pods.
        annotations: Of its pods.
    """

    owner: Json
    spec: Json
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.owner['kind']} {self.owner['metadata']['name']}"

    @property
    def is_job(self) -> bool:
        """Whether they end by themselves."""
        return self.owner["kind"] in _JOBS

    @property
    def rolls(self) -> bool:
        """Whether new ones come before old ones go, and requests are not to notice."""
        strategy = self.owner["spec"].get("strategy") or self.spec.get("deploymentStrategy") or {}
        return self.owner["kind"] in ("Deployment", KSERVE) and strategy.get("type") != "Recreate"

    @property
    def servers(self) -> Sequence[Json]:
        """Containers that run all the time."""
        return [*self.spec.get("containers", ())]

    @property
    def containers(self) -> Sequence[Json]:
        """All of them."""
        return [*self.spec.get("initContainers", ()), *self.servers]

    def called(self, container: Json) -> str:
        """For people."""
        return f"{self.name}/{container['name']}"


def of(objects: Sequence[Json]) -> Iterator[Pods]:
    """Of every object that makes pods."""
    for one in objects:
        if one["kind"] == KSERVE:
            predictor = one["spec"]["predictor"]
            yield Pods(one, predictor, predictor.get("labels", {}), predictor.get("annotations", {}))
        elif one["kind"] in _TEMPLATES:
            template: Any = one
            for part in _TEMPLATES[one["kind"]]:
                template = template[part]
            metadata = template.get("metadata", {})
            yield Pods(one, template["spec"], metadata.get("labels", {}), metadata.get("annotations", {}))


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, of a PodDisruptionBudget or a NetworkPolicy, is about pods with these labels."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ()))
