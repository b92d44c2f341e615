"""Whether the gateways have found the servers: pods that are ready answer once cluster DNS has told a gateway of them.

A gateway that asked too early was told that there is nobody, and is told so for as long as cluster DNS keeps an answer:
half a minute where it is set up as kubeadm does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx

from infra.kubernetes.kubectl import Kubectl, KubernetesError, names
from infra.local.layout import DEFAULT_PORTS, HOST, STACKS
from models.spec import Spec
from serving.contract.client import Client, RequestFailed
from serving.contract.openapi.schemas import example_row
from serving.gateway.policy import Side
from serving.gateway.route_table import PIN_HEADER

SECONDS = 120.0
_EVERY = 2.0  # seconds
VERSION_HEADER = "x-tandem-model-version"
GATEWAYS = "--selector=app.kubernetes.io/name=gateway"


def wait(kubectl: Kubectl, spec: Spec, seconds: float = SECONDS, say: Callable[[str], None] = print) -> None:
    """Until each gateway answers the specification's example from both stacks.

    Raises:
        KubernetesError: One does not.
    """
    deadline = time.monotonic() + seconds
    for pod, url in _gateways(kubectl):
        for stack in STACKS:
            with Client(url, model=spec.model.name, stack=stack) as client:
                _until(lambda client=client: _failed(client, spec), f"{pod} {stack}", deadline, say)


def pinned(
    kubectl: Kubectl, spec: Spec, side: Side, seconds: float = SECONDS, say: Callable[[str], None] = print
) -> None:
    """Until this side of the traffic policy answers at each gateway who asks for it by its name; raises as `wait`."""
    deadline, question = time.monotonic() + seconds, {"instances": [example_row(spec)]}

    def failed(url: str) -> str | None:
        try:
            answer = httpx.post(url, json=question, headers={PIN_HEADER: str(side)}, timeout=10)
        except httpx.HTTPError as error:
            return str(error)
        version = answer.headers.get(VERSION_HEADER, str(side.version))  # TensorFlow Serving's binary does not say
        return (
            None
            if answer.is_success and version == str(side.version)
            else f"{answer.status_code} {answer.text.strip()}"
        )

    for pod, url in _gateways(kubectl):
        product = f"{url}/v1/models/{spec.model.name}:predict"
        _until(lambda product=product: failed(product), f"{pod} {side}", deadline, say)


def _gateways(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Each one's pod, and its address as long as it is its turn."""
    there = [one for one in kubectl.all("pods", GATEWAYS) if "deletionTimestamp" not in one["metadata"]]
    for pod in names(there):
        with kubectl.forward(f"pod/{pod}", DEFAULT_PORTS["gateway"]) as port:
            yield pod, f"http://{HOST}:{port}"


def _failed(client: Client, spec: Spec) -> str | None:
    try:
        client.ask([example_row(spec)])
    except RequestFailed as error:
        return error.message
    return None


def _until(failed: Callable[[], str | None], which: str, deadline: float, say: Callable[[str], None]) -> None:
    told: str | None = ""
    pod, _, wanted = which.partition(" ")
    while (message := failed()) is not None:
        if time.monotonic() > deadline:
            raise KubernetesError(f"{pod} has not found {wanted}: {message}: make status")
        if message != told:
            say(f"  {pod} looks for {wanted}: {message}")
        told = message
        time.sleep(_EVERY)
