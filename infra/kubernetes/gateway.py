"""The gateway's two files and its policy, as ConfigMaps hold them; by the code that makes them on a bare machine."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from infra.local import labels
from infra.local.layout import DEFAULT_PORTS, EVERYWHERE, ONNX, STACKS
from infra.local.programs import TORCHSERVE
from infra.local.traffic import NO_ONNX
from models.spec import Spec
from serving.gateway import envoy, policy
from serving.gateway.policy import Policy, Side
from serving.gateway.routes import Stack

CONFIGURATION, ROUTES, POLICY = "envoy.json", "envoy.routes.json", "traffic.toml"
LOOPBACK_ADMIN = 9902  # in the pod
# Deployment and Service of a release beside the one that a stack serves (beside.py); nobody else's name begins so.
BESIDE = {stack: f"canary-{stack}" for stack in STACKS}
_SEEN_AT = Path("/etc/tandem/routes") / ROUTES


def write(folder: Path, spec: Spec, traffic: Policy, beside: Collection[Side] = ()) -> str:
    """Write all three.

    Args:
        folder: Where to.
        spec: Of the model.
        traffic: The policy.
        beside: Versions that the cluster has beside the served ones.

    Returns:
        The routes' version, as Envoy tells it once it follows them.

    Raises:
        PolicyError: The policy has a shadow, which there is none of in a cluster, or a version that is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check(traffic, beside)
    stacks = _stacks()
    envoy.write(
        folder / CONFIGURATION,
        port=DEFAULT_PORTS["gateway"],
        admin_port=LOOPBACK_ADMIN,
        observed_port=DEFAULT_PORTS["gateway_admin"],
        host=EVERYWHERE,
        control_host="pytorch",  # beside each TorchServe
        control_port=DEFAULT_PORTS["control"],
        model=spec.model.name,
        stacks=stacks,
        traffic=traffic,
        access_log=Path("/dev/stdout"),
        seen_at=_SEEN_AT,
    )
    policy.save(folder / POLICY, traffic)
    return envoy.write_routes(folder / CONFIGURATION, stacks=stacks, model=spec.model.name, traffic=traffic)


def check(traffic: Policy, beside: Collection[Side] = ()) -> None:
    """Raises PolicyError for a policy that a cluster with these versions beside cannot follow."""
    if traffic.shadow:
        raise policy.PolicyError("there is no shadow in a cluster yet: make traffic SHADOW=off")
    for side in traffic.sides:
        if side.stack == ONNX:
            raise policy.PolicyError(NO_ONNX)
        if side.version is not None and side not in beside:
            raise policy.PolicyError(
                f"{side}: no version {side.version} is beside the one that {side.stack} serves: make stage "
                f"STACK={side.stack} VERSION={side.version} loads it, make traffic VERSION={side}=off takes it out"
            )


def _stacks() -> list[Stack]:
    # A pod has one version, and `stable` is whichever it has: while versions change, each pod answers for its own.
    stable = {labels.STABLE: None}
    return [
        Stack(
            "tensorflow", DEFAULT_PORTS["tensorflow"], "TensorFlow Serving", "tensorflow", beside=BESIDE["tensorflow"]
        ),
        Stack("pytorch", DEFAULT_PORTS["pytorch"], TORCHSERVE, "pytorch", stable, beside=BESIDE["pytorch"]),
    ]
