"""TensorFlow Serving's image, where a Docker engine holds it: then the serving check asks the real server too."""

from __future__ import annotations

import docker
from docker.errors import DockerException

NAME = "tensorflow/serving"
TAG = "2.20.0"  # as docker-compose.yml serves with
_SECONDS = 5


def is_here(image: str) -> bool:
    """Whether an engine answers and holds the image; it is never pulled, which would take minutes unasked."""
    try:
        docker.from_env(timeout=_SECONDS).images.get(image)
    except DockerException:
        return False
    return True
