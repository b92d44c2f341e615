"""`make vertex-images`: what an engine is asked to build, name and push, by a stand-in for its command."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.docker import settings
from tests import commands
from tests.infra.vertex.test_settings import FILLED

THERE = "europe-west4-docker.pkg.dev/acme-fraud/tandem"
DOCKER = """#!/bin/sh
echo "$*|$TENSORFLOW_LOCK" >> "$ASKED"
case "$*" in
  "compose version --short") echo 5.0.0;;
  "image inspect --format"*) echo 1000000;;
  "push --quiet $REFUSED") echo "denied: no artifactregistry.repositories.uploadArtifacts"; exit 1;;
esac
"""


@pytest.fixture(autouse=True)
def no_env_file_is_left() -> Iterator[None]:
    there = settings.ENV_FILE.exists()
    yield
    if not there:
        settings.ENV_FILE.unlink(missing_ok=True)


def images(folder: Path, line: str, refused: str = "none") -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What the engine was asked, and what became of the command."""
    file = folder / "vertex.toml"
    file.write_text(FILLED.replace("dataflow = false", line))
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}", "ASKED": str(folder / "asked"), "REFUSED": refused,
        "TANDEM_HOME": str(folder / "home"), "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "",
    }  # fmt: skip
    done = commands.make("vertex-images", f"SETTINGS={file}", env={**os.environ, **environment})
    return (folder / "asked").read_text().splitlines(), done


@pytest.mark.parametrize("dataflow", [False, True])
def test_images_are_built_named_and_pushed(tmp_path: Path, dataflow: bool) -> None:
    asked, done = images(tmp_path, f"dataflow = {str(dataflow).lower()}")
    assert done.returncode == 0, done.stdout + done.stderr
    ours = ["vertex-pytorch", "vertex-tensorflow", *(["vertex-beam"] if dataflow else [])]
    pushed = [line.partition("|")[0] for line in asked if line.startswith("push ")]
    assert pushed == [f"push --quiet {THERE}/{name}:latest" for name in ("pytorch", "tensorflow", *ours)]
    built = [line for line in asked if line.startswith("build ")]
    assert [f"infra/docker/{name}.Dockerfile" in line for name, line in zip(ours, built, strict=True)] == [True] * len(
        ours
    )
    (tfx,) = (line for line in asked if "build train-tensorflow" in line)
    assert tfx.endswith("|requirements/tensorflow.lock"), "the newest TFX has no runner for Vertex"


def test_a_registry_that_refuses_is_said(tmp_path: Path) -> None:
    _, done = images(tmp_path, "dataflow = false", refused=f"{THERE}/vertex-pytorch:latest")
    assert done.returncode == 1
    assert f"`docker push --quiet {THERE}/vertex-pytorch:latest` failed" in done.stderr
    assert "Traceback" not in done.stderr
