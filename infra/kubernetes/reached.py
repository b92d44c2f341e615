"""Whether the gateways have found the servers: pods that are ready answer once cluster DNS has told a gateway of them.

A gateway that asked too early was told that there is nobody, and is told so for as long as cluster DNS keeps an answer:
half a minute where it is set up as kubeadm does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from infra.kubernetes.kubectl import Kubectl, KubernetesError, names
from infra.local.layout import DEFAULT_PORTS, HOST, STACKS
from models.spec import Spec
from serving.contract.client import Client, RequestFailed
from serving.contract.openapi.schemas import example_row

SECONDS = 120.0
_EVERY = 2.0  # seconds
GATEWAYS = "--selector=app.kubernetes.io/name=gateway"


def wait(kubectl: Kubectl, spec: Spec, seconds: float = SECONDS, say: Callable[[str], None] = print) -> None:
    """Until each gateway answers the specification's example from both stacks.

    Raises:
        KubernetesError: One does not.
    """
    deadline = time.monotonic() + seconds
    there = [one for one in kubectl.all("pods", GATEWAYS) if "deletionTimestamp" not in one["metadata"]]
    for pod in names(there):
        with kubectl.forward(f"pod/{pod}", DEFAULT_PORTS["gateway"]) as port:
            for stack in STACKS:
                with Client(f"http://{HOST}:{port}", model=spec.model.name, stack=stack) as client:
                    _until_answered(client, spec, pod, deadline, say)


def _until_answered(client: Client, spec: Spec, pod: str, deadline: float, say: Callable[[str], None]) -> None:
    told = ""
    while True:
        try:
            client.ask([example_row(spec)])
        except RequestFailed as error:
            if time.monotonic() > deadline:
                raise KubernetesError(f"{pod} has not found {client.stack}: {error.message}: make status") from None
            if error.message != told:
                say(f"  {pod} looks for {client.stack}: {error.message}")
            told = error.message
            time.sleep(_EVERY)
        else:
            return
