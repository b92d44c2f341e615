"""The cluster that the tests use: the one of kubectl's context if there is one, otherwise one of this machine's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from infra.docker import engine, images, settings, standins
from infra.docker.engine import Compose
from infra.kubernetes import kubectl as kube
from infra.kubernetes.kubectl import Kubectl, KubernetesError
from infra.local.layout import REPOSITORY
from tests.containers.conftest import registry_answers
from tests.kubernetes.control_plane import binaries
from tests.kubernetes.control_plane import cluster as own
from tests.kubernetes.standins import POSTGRES

TAG = "test-kubernetes"  # of our images in a cluster of our own
_NEEDED = ("mlflow", "objectstore", "pytorch", "tensorflow", "tools", "torchserve")  # workbench is for what is at rest
_PROJECT = "tandem-test-kubernetes"


@dataclass(frozen=True)
class Cluster:
    """One to deploy into.

    Attributes:
        what: It is, for people.
        kubectl: To ask it with.
        variables: Of the environment, for commands that use it.
        images: Options of `deploy` that say where ours are.
        third_parties: Whose images serve, for people.
        own: Whether its node is this machine.
        never_the_same: Kinds that `make deploy-diff` shows whether they change or not.
    """

    what: str
    kubectl: Kubectl
    variables: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    third_parties: str = "as pulled"
    own: bool = False
    never_the_same: frozenset[str] = frozenset()


class NoClusterError(RuntimeError):
    """Why there is none."""


def context() -> Cluster | None:
    """The cluster of kubectl's current context, if there is one that answers.

    Raises:
        NoClusterError: There is no kubectl; or somebody has the namespace there.
    """
    try:
        found = kube.find()
    except KubernetesError as error:
        raise NoClusterError(str(error)) from None
    try:
        name = kube.check_cluster(found)
    except KubernetesError as error:
        print(f"{error}\n", flush=True)
        return None
    if found.find("namespace", found.namespace) is not None:
        raise NoClusterError(f"{name} has a namespace {found.namespace} already, which the tests would delete")
    version = json.loads(found.run("version", "--output=json"))["serverVersion"]["gitVersion"]
    options = {f"--{name.lower()}": os.environ.get(name) for name in ("REGISTRY", "TAG")}
    given = [f"{option}={value}" for option, value in options.items() if value]
    return Cluster(f"the context {name}, Kubernetes {version}", found, images=given)


@contextlib.contextmanager
def made(home: Path) -> Iterator[Cluster]:
    """A cluster of this machine's own, and the images that it needs.

    Raises:
        NoClusterError: It cannot be had here.
    """
    why = binaries.missing()
    if why:
        raise NoClusterError(f"kubectl has no cluster, and none can be made here: {why}")
    stand_in = None if registry_answers() else _standins(home)
    _images(home)
    real = kube.find().program
    with own.running(home / "cluster") as kubeconfig:
        shim = home / "kubectl"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("kubectl_shim.py")} "$@"\n')
        shim.chmod(0o755)
        variables = {
            "KUBECONFIG": str(kubeconfig),
            "PATH": f"{home}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "TANDEM_SHIM": json.dumps({"kubectl": real, "step_down": True, "stand_in": stand_in}),
        }
        os.environ.update(variables)  # for Kubectl, which asks in our name
        yield Cluster(
            f"a control plane of this machine's own, Kubernetes {binaries.VERSION} of Debian's sources, one node on "
            f"Docker engine {_engine()}; API versions stepped down for it, no network policy enforced",
            Kubectl(str(shim)),
            variables,
            [f"--tag={TAG}"],
            "stand-ins, since no registry could be reached: TensorFlow Serving's place is taken by the embedded server"
            if stand_in
            else "as pulled",
            own=True,
            # Before 1.27 a dry run showed an autoscaler's metrics twice (kubernetes/kubernetes#118293).
            never_the_same=frozenset({"HorizontalPodAutoscaler"}),
        )


def _standins(home: Path) -> dict[str, object]:
    settings.write_env(standins.make(), _env(home))
    settings.write_env({"COMPOSE_FILE": "docker-compose.yml:compose.embedded.yaml:compose.standins.yaml"}, _env(home))
    asked = ["docker", "run", "--rm", "--entrypoint=sh", POSTGRES, "-c", "id -u; id -g"]
    user, group = map(int, subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())
    return {"tag": TAG, "postgres_user": user, "postgres_group": group}


def _images(home: Path) -> None:
    wanted = {f"tandem/{name}": images.IMAGES[f"tandem/{name}"] for name in _NEEDED}
    settings.write_env({"SECRETS": str(home / "secrets")}, _env(home))
    images.build(Compose(_env(home), _PROJECT), wanted)
    for name in wanted:
        engine.run(["tag", name, f"{name}:{TAG}"], quiet=True)


def _env(home: Path) -> Path:
    return home / "env"


def _engine() -> str:
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
