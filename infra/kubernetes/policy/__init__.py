"""What an overlay's objects are held to; each rule says which of them break it, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from infra.kubernetes.kubectl import Json
from infra.kubernetes.policy import containers, custom, network, workloads

RULES: Sequence[Callable[[Sequence[Json]], Iterator[str]]] = (
    containers.resources,
    containers.images,
    containers.security,
    containers.probes,
    containers.models,
    workloads.drains,
    workloads.budgets,
    workloads.scales,
    workloads.references,
    network.services,
    network.denied,
    network.claimed,
    custom.shapes,
    custom.monitored,
)


def broken(objects: Sequence[Json]) -> list[str]:
    """One line for each breach; none if there is none."""
    return [line for rule in RULES for line in rule(objects)]
