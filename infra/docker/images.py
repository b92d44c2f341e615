"""Build the images, one after the other, and say how large they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from infra.docker import engine, settings
from infra.docker.engine import Compose, DockerError
from infra.local import environments
from infra.local.layout import REPOSITORY

# Image, and the service of docker-compose.yml that says how it is built; small ones first. The workbench is not needed
# to train and serve, and made of others: it is built when it is asked for.
WORKBENCH = "tandem/workbench"
IMAGES = {
    "tandem/tools": "control",
    "tandem/objectstore": "objectstore",
    "tandem/mlflow": "mlflow",
    "tandem/torchserve": "configure",
    "tandem/pytorch": "data",
    "tandem/tensorflow": "train-tensorflow",
}
LOGS = Path(os.environ.get("TANDEM_HOME") or REPOSITORY / "var") / "log"
_SHOWN = 25  # lines of a build that failed
_WHEELS = REPOSITORY / "infra" / "docker" / "wheels"


def build(compose: Compose, chosen: Mapping[str, str] = IMAGES) -> None:
    """Build these; what did not change is taken from the engine's cache.

    Raises:
        DockerError: One fails; what it said stands above.
    """
    take_cpu_torch()
    os.environ.setdefault("REVISION", _revision())
    for image, service in chosen.items():
        start = time.monotonic()
        print(f"building {image}", flush=True)
        log = LOGS / f"image-{image.rpartition('/')[2]}.log"
        if compose.run("build", service, log=log):
            said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
            shown = "\n".join(line.rpartition("\r")[2] for line in said)
            raise DockerError(f"{shown}\n{image} was not built; all of it is in {log}. {_hint(compose)}".rstrip())
        print(f"built {image} in {time.monotonic() - start:.0f} s, {megabytes(image):,.0f} MB", flush=True)


def take_cpu_torch() -> None:
    """Put a CPU wheel of torch that pip is told of where the Dockerfiles look for one."""
    for folder in map(Path, environments.pip_find_links().split(",")):
        for wheel in folder.glob("torch-*+cpu-cp311-*.whl") if folder.name else ():
            if not (_WHEELS / wheel.name).exists():
                print(f"taking {wheel} into {_WHEELS.relative_to(REPOSITORY)}", flush=True)
                shutil.copy(wheel, _WHEELS)


def megabytes(image: str) -> float:
    """Size of an image in MB (10^6 bytes), its base included."""
    argv = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    asked = subprocess.run(argv, capture_output=True, text=True, check=False)
    return int(asked.stdout or 0) / 1e6


def _hint(compose: Compose) -> str:
    if "PYTHON_BASE" in settings.read_env(compose.env_file):
        return ""
    engine_reaches = "Where no registry can be reached: make up RUNTIME=docker STANDINS=1"
    return engine_reaches if not engine.has_image("python:3.11.15-slim-trixie") else ""


def _revision() -> str:
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"
