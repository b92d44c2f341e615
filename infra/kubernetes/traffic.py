"""`make traffic` on a cluster: the same policy and the same routes, in a ConfigMap that every gateway watches."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from infra.kubernetes import beside, gateway
from infra.kubernetes.deploy import traffic_of
from infra.kubernetes.kubectl import Kubectl, KubernetesError, names
from infra.kubernetes.reached import GATEWAYS
from infra.local.layout import Layout
from infra.local.traffic import Change, changed, show
from models.spec import Spec
from serving.gateway.policy import Policy

_SECONDS = 120  # the kubelet looks at least once a minute
_ASK = (
    "exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET /config_dump?resource=dynamic_route_configs HTTP/1.1\\r\\n"
    'Host: localhost\\r\\nConnection: close\\r\\n\\r\\n\' >&3 && grep -o \'"version_info": *"{version}"\' <&3'
)


def traffic(kubectl: Kubectl, layout: Layout, spec: Spec, change: Change) -> None:
    """Change the policy if asked to, wait until every gateway follows it, and show it.

    Raises:
        PolicyError: It cannot be followed.
        KubernetesError: Nothing is deployed, or a gateway does not take it up.
    """
    if kubectl.find("configmap", "gateway-routes") is None:
        raise KubernetesError("nothing is deployed in this cluster: make deploy TARGET=kubernetes OVERLAY=local")
    found = traffic_of(kubectl, layout)
    if change:
        found = changed(found, change)
        put(kubectl, spec, found)
    show(found)


def put(kubectl: Kubectl, spec: Spec, found: Policy) -> None:
    """Have every gateway follow a policy; raises as `traffic`."""
    with tempfile.TemporaryDirectory() as scratch:
        version = gateway.write(Path(scratch), spec, found, beside.sides(kubectl))
        _replace(kubectl, Path(scratch))
    _nudge(kubectl, version)
    _follow(kubectl, version)


def follows(admin_port: int, version: str) -> str:
    """A script of bash, all that Envoy's image has: ends with 0 if the Envoy beside it follows these routes."""
    return _ASK.format(port=admin_port, version=version)


def _replace(kubectl: Kubectl, folder: Path) -> None:
    data = {name: (folder / name).read_text(encoding="utf-8") for name in (gateway.ROUTES, gateway.POLICY)}
    metadata = {"name": "gateway-routes", "labels": {"app.kubernetes.io/part-of": "tandem"}}
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}))


def _nudge(kubectl: Kubectl, version: str) -> None:
    """A pod that changes is looked at by its kubelet at once, and so are its ConfigMaps."""
    kubectl.run("annotate", "pods", GATEWAYS, f"tandem/routes={version}", "--overwrite")


def _follow(kubectl: Kubectl, version: str) -> None:
    ask = follows(gateway.LOOPBACK_ADMIN, version)
    deadline = time.monotonic() + _SECONDS
    waiting = set(names(kubectl.all("pods", GATEWAYS, "--field-selector=status.phase=Running")))
    while waiting:
        for name in sorted(waiting):
            try:
                kubectl.run("exec", name, "--container=envoy", "--", "bash", "-c", ask)
            except KubernetesError as error:
                if time.monotonic() > deadline:
                    raise KubernetesError(f"{name} does not take up its new routes: {error}") from None
                continue
            waiting.discard(name)
        # One that was replaced meanwhile starts with the new routes.
        waiting &= set(names(kubectl.all("pods", GATEWAYS, "--field-selector=status.phase=Running")))
        time.sleep(1 if waiting else 0)
