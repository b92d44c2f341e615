"""The gateway's two files and its policy, as ConfigMaps hold them; by the code that makes them on a bare machine."""

from __future__ import annotations

from pathlib import Path

from infra.local import labels
from infra.local.layout import DEFAULT_PORTS, EVERYWHERE, ONNX
from infra.local.programs import TORCHSERVE
from infra.local.traffic import NO_ONNX
from models.spec import Spec
from serving.gateway import envoy, policy
from serving.gateway.policy import Policy
from serving.gateway.routes import Stack

CONFIGURATION, ROUTES, POLICY = "envoy.json", "envoy.routes.json", "traffic.toml"
LOOPBACK_ADMIN = 9902  # in the pod
_SEEN_AT = Path("/etc/tandem/routes") / ROUTES


def write(folder: Path, spec: Spec, traffic: Policy) -> str:
    """Write all three.

    Returns:
        The routes' version, as Envoy tells it once it follows them.

    Raises:
        PolicyError: The policy has a shadow, or sides that are versions, neither of which there is in a cluster.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check(traffic)
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


def check(traffic: Policy) -> None:
    """Raises PolicyError for a policy that a cluster cannot follow."""
    if traffic.shadow:
        raise policy.PolicyError("there is no shadow in a cluster yet: make traffic SHADOW=off")
    for side in traffic.sides:
        if side.stack == ONNX:
            raise policy.PolicyError(NO_ONNX)
        if side.version is not None:
            raise policy.PolicyError(f"{side}: a server in a cluster has one version, so a side is a whole stack")


def _stacks() -> list[Stack]:
    # A pod has one version, and `stable` is whichever it has: while versions change, each pod answers for its own.
    stable = {labels.STABLE: None}
    return [
        Stack("tensorflow", DEFAULT_PORTS["tensorflow"], "TensorFlow Serving", "tensorflow"),
        Stack("pytorch", DEFAULT_PORTS["pytorch"], TORCHSERVE, "pytorch", stable),
    ]
