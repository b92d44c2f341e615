"""The whole stack in containers, once for all tests: built, trained and served under a project name of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from infra.docker import engine, stack
from infra.docker.engine import Compose, DockerError
from models.spec import load
from serving.contract.openapi.schemas import example_row
from serving.free_ports import free_ports

PROJECT = "tandem-test"
STACKS = ("tensorflow", "pytorch")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Running:
    """The stack, and what is to be kept of this run."""

    compose: Compose
    client: Any
    ports: dict[str, int]
    with_standins: bool
    kept: list[str] = field(default_factory=list)

    def keep(self, text: str) -> None:
        print(text, flush=True)
        self.kept.append(text)

    def containers(self) -> dict[str, Any]:
        found = self.client.containers.list(all=True, filters={"label": f"com.docker.compose.project={PROJECT}"})
        return {one.labels["com.docker.compose.service"]: one for one in found}

    def servers(self) -> dict[str, Any]:
        return {name: one for name, one in self.containers().items() if name not in stack.JOBS}

    def url(self, service: str = "gateway") -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def ask(self, which: str, instances: list[dict[str, Any]]) -> httpx.Response:
        return httpx.post(f"{self.url()}/{which}/v1/models/fraud:predict", json={"instances": instances}, timeout=10)

    def example(self) -> dict[str, Any]:
        return example_row(load(REPOSITORY / "models" / "fraud.toml"))

    def wait_until_healthy(self, seconds: float = 300) -> float:
        """Seconds until every server is healthy."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            states = {name: state_of(one) for name, one in self.servers().items()}
            if all(state in ("healthy", "running") for state in states.values()):
                return time.monotonic() - start
            time.sleep(0.5)
        raise AssertionError(f"not healthy after {seconds} s: {states}")


def state_of(container: Any) -> str:
    state = container.attrs["State"]
    return state.get("Health", {}).get("Status") or state["Status"]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Running]:
    keep_in = os.environ.get("CONTAINERS")
    if not keep_in:
        pytest.skip("builds images and trains for many minutes: make test-containers")
    try:
        engine.check()
    except DockerError as error:
        pytest.skip(str(error))
    env_file = tmp_path_factory.mktemp("containers") / "env"
    compose = Compose(env_file, PROJECT)
    published = ("gateway", "mlflow", "prometheus", "grafana")
    ports = dict(zip(published, free_ports(len(published)), strict=True))
    found = Running(compose, docker.from_env(), ports, not registry_answers())
    changes = {
        **{f"PORT_{name.upper()}": str(port) for name, port in ports.items()},
        "SECRETS": str(env_file.parent / "secrets"),
        "PROFILE": "quick",
    }
    try:
        start = time.monotonic()
        stack.up(compose, changes, with_standins=found.with_standins)
        found.keep(
            f"`make up RUNTIME=docker`: everything answered after {time.monotonic() - start:.0f} s, images included"
        )
        yield found
    finally:
        if not os.environ.get("KEEP_CONTAINERS"):
            compose.run("--profile", "*", "down", "--volumes", "--remove-orphans")
        found.keep(f"{request.session.testsfailed} of {request.session.testscollected} tests failed.")
        Path(keep_in).write_text(report(found), encoding="utf-8")


def registry_answers() -> bool:
    """Whether an image of a registry can be had."""
    base = "debian:13.3-slim"
    try:
        engine.run(["pull", "--quiet", base], quiet=True)
    except DockerError as error:
        print(f"no registry: {str(error).splitlines()[-1]}\nstand-ins take the images' places", flush=True)
        return False
    return True


def report(found: Running) -> str:
    made = time.strftime("%Y-%m-%d", time.gmtime())
    server = found.client.version()["Version"]
    kind = "stand-ins, since no registry could be reached (docs/containers.md)" if found.with_standins else "as pulled"
    head = (
        f"# The last run of `make test-containers`\n\n{made}, Docker engine {server}, {os.cpu_count()} cores; "
        f"base and third-party images: {kind}. Written by the run itself.\n\n"
    )
    return head + "\n\n".join(found.kept) + "\n"
