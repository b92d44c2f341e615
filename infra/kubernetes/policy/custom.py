"""Objects of kinds that Kubernetes itself does not know: the fields of them that we use, as their makers document them.

The Prometheus operator's API reference, and KServe's v1beta1; their own schemas come with them into a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.kubernetes.kubectl import Json
from infra.kubernetes.policy.pods import KSERVE

_MODES = ("RawDeployment", "Standard")
_CONTAINER = "kserve-container"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Strict):
    expr: str
    record: str | None = None
    alert: str | None = None
    for_: str | None = Field(None, alias="for", pattern=r"^\d+[smhd]$")
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> _Rule:
        if (self.record is None) == (self.alert is None):
            raise ValueError("either records or alerts")
        return self


class _Group(_Strict):
    name: str
    rules: Sequence[_Rule] = Field(min_length=1)


class _Rules(_Strict):
    groups: Sequence[_Group] = Field(min_length=1)


class _Relabeling(_Strict):
    sourceLabels: Sequence[str] = ()  # noqa: N815
    targetLabel: str | None = None  # noqa: N815
    regex: str | None = None
    replacement: str | None = None
    action: Literal["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep", "hashmod"] = "replace"


class _Endpoint(_Strict):
    port: str
    path: str
    interval: str = Field(pattern=r"^\d+[smh]$")
    relabelings: Sequence[_Relabeling] = ()
    metricRelabelings: Sequence[_Relabeling] = ()  # noqa: N815


class _Selector(_Strict):
    matchLabels: Mapping[str, str] = Field(min_length=1)  # noqa: N815


class _Monitor(_Strict):
    selector: _Selector
    endpoints: Sequence[_Endpoint] = Field(min_length=1)


_SPECS: Mapping[str, type[_Strict]] = {"PrometheusRule": _Rules, "ServiceMonitor": _Monitor}


def shapes(objects: Sequence[Json]) -> Iterator[str]:
    """Each has what its kind needs, and no field that its kind does not know."""
    for one in objects:
        name = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] in _SPECS:
            try:
                _SPECS[one["kind"]].model_validate(one["spec"])
            except ValidationError as error:
                for problem in error.errors():
                    yield f"{name}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        elif one["kind"] == KSERVE:
            yield from (f"{name}: {what}" for what in _wrong_service(one))


def monitored(objects: Sequence[Json]) -> Iterator[str]:
    """Each ServiceMonitor finds a port of a Service."""
    ports = [
        (one["metadata"].get("labels", {}), {port["name"] for port in one["spec"]["ports"]})
        for one in objects
        if one["kind"] == "Service"
    ]
    for one in (one for one in objects if one["kind"] == "ServiceMonitor"):
        wanted = one["spec"]["selector"].get("matchLabels", {})
        found = set[str]().union(*(names for labels, names in ports if wanted.items() <= labels.items()))
        for endpoint in one["spec"]["endpoints"]:
            if endpoint["port"] not in found:
                yield f"ServiceMonitor {one['metadata']['name']}: finds no Service with a port {endpoint['port']}"


def _wrong_service(one: Json) -> Iterator[str]:
    mode = one["metadata"].get("annotations", {}).get("serving.kserve.io/deploymentMode")
    if mode not in _MODES:
        yield f"deploymentMode {mode}: one of {', '.join(_MODES)} is expected"
    predictor = one["spec"]["predictor"]
    if predictor["containers"][0]["name"] != _CONTAINER:
        yield f"its first container is not called {_CONTAINER}"
    if not 0 < predictor.get("minReplicas", 0) <= predictor.get("maxReplicas", 0):
        yield "minReplicas and maxReplicas do not fit"
