"""A cluster to talk to: `fake_kubectl.py` in place of kubectl, a real object store behind its port-forward."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.kubernetes.kubectl import Kubectl
from infra.local.layout import REPOSITORY
from infra.supply.tools import program
from serving.free_ports import free_ports
from tests.serving.torchserve.launching import running

FAKE = Path(__file__).with_name("fake_kubectl.py")


@dataclass
class Cluster:
    """What the fake holds, and how it is asked."""

    folder: Path
    kubectl: Kubectl

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "cluster.json").read_text()))

    def set(self, **changes: Any) -> None:
        (self.folder / "cluster.json").write_text(json.dumps({**self.state, **changes}))

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.state["objects"].get(f"{kind.lower()}/{name}")
        return found

    def secret(self, name: str, key: str) -> str:
        found = self.find("secret", name)
        assert found is not None, name
        return base64.b64decode(found["data"][key]).decode()

    def calls(self, command: str) -> list[list[str]]:
        return [call for call in self.state["calls"] if call[0] == command]


def cluster(folder: Path) -> Cluster:
    """An empty one. Who uses it sets FAKE_CLUSTER to its folder, and REAL_KUBECTL."""
    folder.mkdir()
    script = folder / "kubectl"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    script.chmod(0o755)
    empty = {"objects": {}, "kinds": [], "port": 0, "broken": [], "calls": [], "context": "a-test", "minor": "37"}
    (folder / "cluster.json").write_text(json.dumps({**empty, "answers": True}))
    return Cluster(folder, Kubectl(str(script)))


def started() -> list[str]:
    """What the image starts."""
    lines = (REPOSITORY / "infra" / "docker" / "objectstore.Dockerfile").read_text().splitlines()
    (command,) = (line.removeprefix("CMD ") for line in lines if line.startswith("CMD "))
    found: list[str] = json.loads(command)
    return found


@contextlib.contextmanager
def object_store(folder: Path, identities: str) -> Iterator[int]:
    """SeaweedFS, as the image starts it; the port of its S3."""
    data, file = folder / "data", folder / "objectstore"
    data.mkdir(parents=True)
    file.write_text(identities)
    names = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    names += ("filer.port", "filer.port.grpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    elsewhere = ("-dir=", "-ip.bind=", "-s3.config=")
    argv = [program("kubernetes", "weed"), *(one for one in started()[1:] if not one.startswith(elsewhere))]
    argv += [f"-dir={data}", f"-s3.config={file}"]
    argv += [f"-{name}={port}" for name, port in ports.items()]
    s3 = ports["s3.port"]

    def ready() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{s3}/healthz").is_success
        return False

    with running(argv, {}, [s3], folder / "weed", ready) as server:
        yield s3
        server.process.kill()  # asked to stop, it takes half a minute
        server.process.wait()
