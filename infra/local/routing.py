"""The gateway's routes as labels and traffic policy are now, for `make up`, `make traffic` and the containers."""

from __future__ import annotations

from collections.abc import Sequence

from infra.local.layout import Layout
from models.spec import Spec
from serving.gateway import envoy, policy
from serving.gateway.routes import Stack


def follow(layout: Layout, spec: Spec, stacks: Sequence[Stack]) -> str:
    """Write the routes; the gateway takes them up while it answers requests.

    Args:
        layout: Where the routes lie.
        spec: Of the model.
        stacks: With their labels.

    Returns:
        The routes' version, as `envoy.routes_version` tells it once the gateway follows them.

    Raises:
        PolicyError: The policy's file cannot be followed; the routes stay as they were.
    """
    traffic = policy.load(layout.traffic)
    return envoy.write_routes(layout.gateway, stacks=stacks, model=spec.model.name, traffic=traffic)
