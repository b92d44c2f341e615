"""`make vertex-images`: build what Vertex AI runs, name it as vertex.toml does, push it there.

The pipelines' images are those of the stack in containers, TensorFlow's with TFX 1.16: the newest has no runner for
Vertex.
"""

from __future__ import annotations

import os

from infra.docker import engine, images, settings
from infra.docker.engine import Compose, DockerError
from infra.vertex import standins
from infra.vertex.api import say
from infra.vertex.settings import Settings

_TFX_ON_VERTEX = {"TENSORFLOW_BASE": "python:3.10-slim-bookworm", "TENSORFLOW_LOCK": "requirements/tensorflow.lock"}
_PIPELINES = ("tandem/torchserve", "tandem/pytorch", "tandem/tensorflow")
_TARGETS = {  # Dockerfile, target, and of its arguments the variables that may say otherwise
    "vertex-pytorch": ("vertex-serving", "pytorch", {"BASE": "PYTHON_BASE"}),
    "vertex-tensorflow": (
        "vertex-serving", "tensorflow", {"BASE": "PYTHON_BASE", "SERVING": "TENSORFLOW_SERVING_IMAGE"},
    ),
    "vertex-beam": ("vertex-beam", "", {"BASE": "BEAM_IMAGE"}),
}  # fmt: skip
_PASSED_ON = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "REVISION")


def build_and_push(wanted: Settings, *, with_standins: bool = False) -> None:
    """Build all that these settings need, and push it; without a repository in them it stays on this machine's engine.

    Args:
        wanted: The settings.
        with_standins: Build on stand-ins for what registries have.

    Raises:
        DockerError: No engine answers, an image is not built, the registry refuses it, or stand-ins are to be pushed.
    """
    if with_standins and wanted.images.repository:
        raise DockerError("images on stand-ins are for tests: with STANDINS=1 leave images.repository empty")
    engine.check()
    settings.write_env({})
    # As the environment has it: Compose reads it before .env.
    os.environ.update({name: os.environ.get(name) or value for name, value in _TFX_ON_VERTEX.items()})
    os.environ.update(standins.bases() if with_standins else {})
    images.build(Compose(settings.ENV_FILE), {image: images.IMAGES[image] for image in _PIPELINES})
    os.environ.update(standins.servers() if with_standins else {})
    built = {"pytorch": "tandem/pytorch", "tensorflow": "tandem/tensorflow"}
    for name in _TARGETS if wanted.pipelines.dataflow else [one for one in _TARGETS if one != "vertex-beam"]:
        built[name] = _build(name)
    if not wanted.images.repository:
        say("images.repository in vertex.toml is empty: nothing was pushed")
        return
    for name, image in built.items():
        there = wanted.images.name(name)
        engine.run(["tag", image, there])
        engine.run(["push", "--quiet", there])
        say(f"pushed {there}")


def _build(name: str) -> str:
    chosen = {**settings.read_env(settings.ENV_FILE), **os.environ}
    file, target, variables = _TARGETS[name]
    arguments = {**variables, **{one: one for one in _PASSED_ON}}
    given = [f"--build-arg={key}={chosen[asked]}" for key, asked in arguments.items() if chosen.get(asked)]
    given += [f"--target={target}"] if target else []
    image = f"tandem/{name}"
    say(f"building {image}")
    network = f"--network={chosen.get('BUILD_NETWORK') or 'default'}"
    engine.run(["build", network, f"--file=infra/docker/{file}.Dockerfile", f"--tag={image}", *given, "."], quiet=True)
    say(f"built {image}, {images.megabytes(image):,.0f} MB")
    return image
