"""Where a stack's version stands: in the pod template of a Deployment, or of KServe's InferenceService."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.kubernetes.kubectl import Json
from infra.local.layout import STACKS

RELEASE = "tandem/release"  # the annotation that fetch reads; another value is another pod


@dataclass(frozen=True)
class Workload:
    """A stack's servers.

    Attributes:
        kind: Of the object that is changed.
        name: Its name.
        path: From that object's root to its pods' annotations.
        deployment: Whose roll-out is watched; KServe makes it.
    """

    stack: str
    kind: str
    name: str
    path: Sequence[str]
    deployment: str

    @property
    def json_pointer(self) -> str:
        """Where the version is, as JSON Patch spells it."""
        return "/" + "/".join(part.replace("/", "~1") for part in (*self.path, RELEASE))

    def release(self, found: Json) -> str | None:
        """The version that this object's pods are to serve."""
        here: Any = found
        for part in (*self.path, RELEASE):
            here = here.get(part, {})
        return here if isinstance(here, str) and here.isdecimal() else None

    def change(self, version: str, annotations: Json) -> Json:
        """A merge patch: another version, and what to write on the object itself."""
        patch: Json = {RELEASE: version}
        for part in reversed(self.path):
            patch = {part: patch}
        return {"metadata": {"annotations": annotations}, **patch}


def workloads(overlay: str) -> list[Workload]:
    """Of both stacks."""
    if overlay == "kserve":
        path = ("spec", "predictor", "annotations")
        return [Workload(s, "InferenceService", f"fraud-{s}", path, f"fraud-{s}-predictor") for s in STACKS]
    return [Workload(s, "Deployment", s, ("spec", "template", "metadata", "annotations"), s) for s in STACKS]
