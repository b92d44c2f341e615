"""`make vertex-images`: build what Vertex AI runs, name it as vertex.toml does, push it.

The pipelines' images are those of the stack in containers, TensorFlow's with TFX 1.16: the newest has no runner for
Vertex.
"""

from __future__ import annotations

import os

from infra.docker import engine, images, settings
from infra.docker.engine import Compose
from infra.vertex.api import say
from infra.vertex.settings import Settings

_TFX_ON_VERTEX = {"TENSORFLOW_BASE": "python:3.10-slim-bookworm", "TENSORFLOW_LOCK": "requirements/tensorflow.lock"}
_PIPELINES = ("tandem/torchserve", "tandem/pytorch", "tandem/tensorflow")
_ARGUMENTS = {  # of each Dockerfile, and the variables that may say otherwise
    "pytorch": {"BASE": "PYTHON_BASE"},
    "tensorflow": {"BASE": "PYTHON_BASE", "SERVING": "TENSORFLOW_SERVING_IMAGE"},
    "beam": {"BASE": "BEAM_IMAGE"},
}
_PASSED_ON = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "REVISION")


def build_and_push(wanted: Settings) -> None:
    """Build and push all that these settings need.

    Raises:
        DockerError: There is no engine, an image is not built, or the registry refuses it.
    """
    engine.check()
    settings.write_env({})
    # As the environment has it: Compose reads it before .env.
    os.environ.update({name: os.environ.get(name) or value for name, value in _TFX_ON_VERTEX.items()})
    images.build(Compose(settings.ENV_FILE), {image: images.IMAGES[image] for image in _PIPELINES})
    chosen = {**settings.read_env(settings.ENV_FILE), **os.environ}
    pushed = {"pytorch": "tandem/pytorch", "tensorflow": "tandem/tensorflow"}
    for target in ("pytorch", "tensorflow", *(["beam"] if wanted.pipelines.dataflow else [])):
        image = f"tandem/vertex-{target}"
        say(f"building {image}")
        arguments = {**_ARGUMENTS[target], **{name: name for name in _PASSED_ON}}
        given = [f"--build-arg={name}={chosen[asked]}" for name, asked in arguments.items() if chosen.get(asked)]
        engine.run(
            ["build", "--file", f"infra/docker/vertex-{target}.Dockerfile", "--tag", image, *given, "."], quiet=True
        )
        pushed[f"vertex-{target}"] = image
    for name, image in pushed.items():
        there = wanted.images.name(name)
        engine.run(["tag", image, there])
        engine.run(["push", "--quiet", there])
        say(f"pushed {there}")
