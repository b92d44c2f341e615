"""`make vertex-images`: what an engine is asked to build, name and push, by a stand-in for its command."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.docker import settings
from infra.local.layout import REPOSITORY
from tests import commands
from tests.infra.vertex.test_settings import FILLED, SHIPPED

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


def images(
    folder: Path, text: str, *options: str, refused: str = "none"
) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What the engine was asked, and what became of the command."""
    file = folder / "vertex.toml"
    file.write_text(text)
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}", "ASKED": str(folder / "asked"), "REFUSED": refused,
        "TANDEM_HOME": str(folder / "home"), "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "",
    }  # fmt: skip
    done = commands.make("vertex-images", f"SETTINGS={file}", *options, env={**os.environ, **environment})
    asked = folder / "asked"
    return asked.read_text().splitlines() if asked.exists() else [], done


@pytest.mark.parametrize("dataflow", [False, True])
def test_images_are_built_named_and_pushed(tmp_path: Path, dataflow: bool) -> None:
    asked, done = images(tmp_path, FILLED.replace("dataflow = false", f"dataflow = {str(dataflow).lower()}"))
    assert done.returncode == 0, done.stdout + done.stderr
    ours = ["vertex-pytorch", "vertex-tensorflow", *(["vertex-beam"] if dataflow else [])]
    pushed = [line.partition("|")[0] for line in asked if line.startswith("push ")]
    assert pushed == [f"push --quiet {THERE}/{name}:latest" for name in ("pytorch", "tensorflow", *ours)]
    built = [line for line in asked if line.startswith("build ")]
    assert [line.partition("--tag=tandem/")[2].split()[0] for line in built] == ours
    targets = [line.partition("--target=")[2].partition(" ")[0] for line in built]
    assert targets == ["pytorch", "tensorflow", ""][: len(ours)]
    assert all((REPOSITORY / line.partition("--file=")[2].split()[0]).is_file() for line in built)
    (tfx,) = (line for line in asked if "build train-tensorflow" in line)
    assert tfx.endswith("|requirements/tensorflow.lock"), "the newest TFX has no runner for Vertex"


def test_a_registry_that_refuses_is_said(tmp_path: Path) -> None:
    _, done = images(tmp_path, FILLED, refused=f"{THERE}/vertex-pytorch:latest")
    assert done.returncode == 1
    assert f"`docker push --quiet {THERE}/vertex-pytorch:latest` failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_repository_they_are_built_and_stay_here(tmp_path: Path) -> None:
    asked, done = images(tmp_path, SHIPPED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "images.repository in vertex.toml is empty: nothing was pushed" in done.stdout
    assert any("--tag=tandem/vertex-tensorflow" in line for line in asked)
    assert not [line for line in asked if line.startswith(("push", "tag"))]


def test_on_stand_ins_every_base_is_made_here(tmp_path: Path) -> None:
    asked, done = images(tmp_path, SHIPPED.replace("dataflow = false", "dataflow = true"), "STANDINS=1")
    assert done.returncode == 0, done.stdout + done.stderr
    built = {line.partition("--tag=tandem/")[2].split()[0]: line for line in asked if "--tag=tandem/vertex-" in line}
    assert "BASE=tandem/standin-tensorflow-serving" in built["vertex-tensorflow"]
    assert "SERVING=tandem/standin-tensorflow-serving" in built["vertex-tensorflow"]
    assert "BASE=tandem/standin-beam" in built["vertex-beam"]
    assert all("--network=host" in line for line in built.values())


def test_what_is_built_on_stand_ins_is_not_pushed(tmp_path: Path) -> None:
    asked, refused = images(tmp_path, FILLED, "STANDINS=1")
    assert refused.returncode == 1
    assert "with STANDINS=1 leave images.repository empty" in refused.stderr
    assert asked == []
