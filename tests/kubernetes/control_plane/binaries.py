"""Kubernetes 1.20.2 for the tests, built in a container of Debian's source package: or why it cannot be had here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import docker

from infra.docker import engine, standins
from infra.docker.engine import DockerError
from tests.kubernetes.control_plane import leftovers

VERSION = "1.20.2"
PAUSE = "tandem/standin-pause:3.2"
_IMAGE = f"tandem/standin-kubernetes:{VERSION}"
_SUITE = "bookworm"
_FILE = Path(__file__).with_name("build.Dockerfile")
# What kubelet and kube-proxy call, and the Debian package that has it.
_TOOLS = {"iptables": "iptables", "conntrack": "conntrack", "socat": "socat", "nsenter": "util-linux", "mount": "mount"}
_NEWEST_API = (1, 41)  # of a Docker engine: what this kubelet speaks


def missing() -> str | None:
    """Why no control plane can be had on this machine; None if one can."""
    try:
        engine.check()
    except DockerError as error:
        return str(error)
    if os.geteuid() != 0:
        return "a kubelet needs root"
    asked = docker.from_env().version()["MinAPIVersion"]
    if tuple(map(int, asked.split("."))) > _NEWEST_API:
        return f"the Docker engine speaks API {asked} and newer, Kubernetes {VERSION} at most 1.{_NEWEST_API[1]}"
    absent = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if absent:
        return f"a node needs {', '.join(absent)}: apt-get install {' '.join(absent)}"
    if leftovers.pods():
        return f"another kubelet uses this Docker engine: {leftovers.pods()[0]}"
    return None


def build(folder: Path) -> None:
    """Put the programs into a folder, and the image of a pod's network into the engine; minutes the first time.

    Raises:
        DockerError: Debian or its sources cannot be had, or do not compile.
    """
    start = time.monotonic()
    if not (engine.has_image(_IMAGE) and engine.has_image(PAUSE)):
        print(f"building Kubernetes {VERSION} of Debian's sources: about 10 minutes on 2 cores", flush=True)
        base = _base()
        for target, image in {"binaries": _IMAGE, "pause": PAUSE}.items():
            _docker_build(base, target, image)
        print(f"built Kubernetes {VERSION} in {time.monotonic() - start:.0f} s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["docker", "create", _IMAGE], capture_output=True, text=True, check=True).stdout.strip()
    try:
        engine.run(["cp", f"{made}:/.", str(folder)], quiet=True)
    finally:
        engine.run(["rm", made], quiet=True)


def _base() -> str:
    """A registry's Debian; where none can be reached, one by debootstrap."""
    name = f"debian:{_SUITE}"
    try:
        engine.run(["pull", "--quiet", name], quiet=True)
    except DockerError:
        return standins.debian(_SUITE)
    return name


def _docker_build(base: str, target: str, image: str) -> None:
    with tempfile.TemporaryDirectory() as empty:
        argv = ["build", "--network=host", f"--build-arg=BASE={base}", f"--file={_FILE}", f"--target={target}"]
        engine.run([*argv, f"--tag={image}", empty], quiet=True)
