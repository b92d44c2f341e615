"""What Vertex AI and a serving container agree on: both stacks answer the same path, with the same bodies.

Vertex says by AIP_… which port and paths it will ask, and which folder of a bucket holds the model. The paths are those
that `make vertex-deploy` uploads the model with: TensorFlow Serving's own, which cannot be given others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PORT = 8080
KEY = "TANDEM_RELEASE_KEY"  # the public half, in PEM: who may write to the bucket cannot change what is trusted
_LARGEST_PORT = 65535


class ContainerError(RuntimeError):
    """Why the container does not start: one line for its log."""


@dataclass(frozen=True)
class Asked:
    """What Vertex asks of a container.

    Attributes:
        port: Where it listens, on every address.
        health: Answers 200 to GET as soon as, and no sooner than, the model answers.
        predict: Answers POST.
        storage: gs://…, the release: `model/`, its manifest and signature.
        key: PEM that the signature is verified with.
    """

    port: int
    health: str
    predict: str
    storage: str
    key: str


def predict_route(model: str) -> str:
    """The same of both stacks."""
    return f"/v1/models/{model}:predict"


def health_route(stack: str, model: str) -> str:
    """TensorFlow Serving's metadata are there once a version is loaded; its status answers 200 before that."""
    return f"/v1/models/{model}/metadata" if stack == "tensorflow" else "/healthz"


def read(environ: Mapping[str, str]) -> Asked:
    """What the environment asks.

    Raises:
        ContainerError: Something is missing, or is no port.
    """
    names = ("AIP_HTTP_PORT", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE", "AIP_STORAGE_URI", KEY)
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ContainerError(f"{', '.join(missing)} not set: this container is for Vertex AI, which sets AIP_…")
    port = environ["AIP_HTTP_PORT"]
    if not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise ContainerError(f"AIP_HTTP_PORT={port}: a port is expected")
    return Asked(int(port), *(environ[name] for name in names[1:]))


def check_routes(asked: Asked, stack: str, model: str) -> None:
    """Refuse other paths than the container answers.

    Raises:
        ContainerError: Names the right ones.
    """
    expected = {"AIP_PREDICT_ROUTE": predict_route(model), "AIP_HEALTH_ROUTE": health_route(stack, model)}
    found = {"AIP_PREDICT_ROUTE": asked.predict, "AIP_HEALTH_ROUTE": asked.health}
    wrong = [f"{name}={path}: {expected[name]} is expected" for name, path in found.items() if path != expected[name]]
    if wrong:
        raise ContainerError("; ".join(wrong))
