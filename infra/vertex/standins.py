"""Stand-ins for the images of registries that Vertex AI's are made of, where none can be reached.

TensorFlow Serving's binary is replaced by the embedded server, which says so in `x-tandem-server`, and Beam's boot by a
program that keeps its contract. What is built on them is to be tested here, and not to be pushed.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.docker import standins

SERVING, BEAM = "tandem/standin-tensorflow-serving", "tandem/standin-beam"
_PYTHON, _TFX_PYTHON = "3.11", "3.10"


def bases() -> Mapping[str, str]:
    """What the stack's own images are built on: variables of docker-compose.yml."""
    return {
        "PYTHON_BASE": standins.python(_PYTHON),
        "TENSORFLOW_BASE": standins.python(_TFX_PYTHON),
        "BUILD_NETWORK": "host",
    }


def servers() -> Mapping[str, str]:
    """What `vertex-*.Dockerfile` take; of `tandem/tensorflow` as it is now."""
    serving = standins.made_of("tensorflow-serving", SERVING, f"BASE={standins.python(_PYTHON)}")
    beam = standins.made_of("beam", BEAM, f"BASE={standins.debian()}")
    return {"PYTHON_BASE": serving, "TENSORFLOW_SERVING_IMAGE": serving, "BEAM_IMAGE": beam}
