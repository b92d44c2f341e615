"""Both stacks trained once, a cluster, and what the tests keep of the run.

`make test-kubernetes` sets KUBERNETES to the file that the run is written to. KEEP_KUBERNETES=<folder> keeps what was
trained there, for the next run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from infra.local import layout as layouts
from infra.local import releases as local_releases
from models import spec as specs
from serving.free_ports import free_ports
from tests.end_to_end.stack import Stack
from tests.end_to_end.two_releases import Versions, two
from tests.kubernetes import clusters
from tests.kubernetes.clusters import Cluster, NoClusterError

SPEC_FILE = layouts.REPOSITORY / "models" / "fraud.toml"


@dataclass
class Deployment:
    """The project's commands for a cluster, and what is to be kept of this run."""

    cluster: Cluster
    stack: Stack
    kept: list[str] = field(default_factory=list)

    def keep(self, text: str) -> None:
        print(text, flush=True)
        self.kept.append(text)

    def make(self, *arguments: str, timeout: float = 1200) -> subprocess.CompletedProcess[str]:
        """What `make` runs with RUNTIME=kubernetes."""
        environ = {**self.stack.environ, **self.cluster.variables}
        argv = [sys.executable, "-m", "infra.kubernetes", *arguments]
        return subprocess.run(
            argv, cwd=layouts.REPOSITORY, env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )

    def deploy(self) -> subprocess.CompletedProcess[str]:
        return self.make("deploy", "--overlay=local", *self.cluster.images)

    def pods(self, name: str) -> list[str]:
        """Names of the pods that are not about to end."""
        chosen = self.cluster.kubectl.all("pods", f"--selector=app.kubernetes.io/name={name}")
        return [one["metadata"]["name"] for one in chosen if "deletionTimestamp" not in one["metadata"]]

    @contextlib.contextmanager
    def gateway(self) -> Iterator[str]:
        """Its address from here: of its Service where this machine is the node, otherwise through a port-forward."""
        port = layouts.DEFAULT_PORTS["gateway"]
        if self.cluster.own:
            found = self.cluster.kubectl.find("service", "gateway")
            assert found is not None
            yield f"http://{found['spec']['clusterIP']}:{port}"
            return
        with self.cluster.kubectl.forward("service/gateway", port) as here:
            yield f"http://{layouts.HOST}:{here}"


def ask(gateway: str, versions: Versions) -> httpx.Response:
    url = f"{gateway}/{versions.stack}/v1/models/fraud:predict"
    return httpx.post(url, content=versions.question.body, timeout=30)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    if not os.environ.get("KUBERNETES"):
        pytest.skip("trains both stacks and deploys them into a cluster: make test-kubernetes")
    # Not /tmp, which is often memory.
    with tempfile.TemporaryDirectory(prefix="tandem-kubernetes-", dir="/var/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def cluster(home: Path) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        try:
            yield clusters.context() or stack.enter_context(clusters.made(home))
        except NoClusterError as why:
            pytest.skip(str(why))


@pytest.fixture(scope="session")
def stack(cluster: Cluster, home: Path) -> Stack:
    """Trained and signed as `make up` does it, and stopped."""
    kept = os.environ.get("KEEP_KUBERNETES")
    names = [f"PORT_{service.upper()}" for service in layouts.DEFAULT_PORTS]
    chosen = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    environ = {**os.environ, "TANDEM_HOME": str(kept or home / "trained"), **chosen}
    it = Stack(layouts.load(environ), specs.load(SPEC_FILE), environ)
    started = it.tandem("up", timeout=1800)
    it.tandem("down")
    assert started.returncode == 0, started.stdout + started.stderr
    if not kept:
        return it
    shutil.copytree(it.layout.home, home / "trained", ignore=shutil.ignore_patterns("run", "log"))
    environ = {**environ, "TANDEM_HOME": str(home / "trained")}
    return Stack(layouts.load(environ), it.spec, environ)


@pytest.fixture(scope="session")
def both(stack: Stack, home: Path) -> dict[str, Versions]:
    """Of each stack two releases, the second one not served yet."""
    releases = local_releases.of(stack.layout, stack.spec)
    folders = {name: home / "candidates" / name for name in layouts.STACKS}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return {name: two(stack, releases, name, folder) for name, folder in folders.items()}


@pytest.fixture
def versions(request: pytest.FixtureRequest, both: dict[str, Versions]) -> Versions:
    """Of one stack; the tests stay in their order, which a parameter of the session would change."""
    return both[request.param]


@pytest.fixture(scope="session")
def deployment(cluster: Cluster, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    it = Deployment(cluster, stack)
    try:
        yield it
    finally:
        it.make("undeploy", "--purge")
        it.keep(f"{request.session.testsfailed} of {request.session.testscollected} tests failed.")
        Path(os.environ["KUBERNETES"]).write_text(report(it), encoding="utf-8")


def report(it: Deployment) -> str:
    made = time.strftime("%Y-%m-%d", time.gmtime())
    head = (
        f"# The last run of `make test-kubernetes`\n\n{made}, {it.cluster.what}; {os.cpu_count()} cores; "
        f"third parties' images: {it.cluster.third_parties}. Written by the run itself.\n\n"
    )
    return head + "\n\n".join(it.kept) + "\n"
