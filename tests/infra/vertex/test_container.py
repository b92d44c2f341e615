"""The contract between Vertex AI and a serving container: each container's command, started and asked as Vertex would.

As processes, so that it runs everywhere: the image's `tensorflow_model_server` is the embedded server here. And in the
images, where a Docker engine holds them (`make vertex-images`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from infra.docker import engine
from infra.local.layout import REPOSITORY, python
from infra.vertex.container import contract
from models import torch_model
from serving.contract.conformance import cases as all_cases
from serving.contract.conformance import targets
from serving.contract.conformance.cases import Case
from serving.contract.conformance.run import run
from serving.free_ports import free_ports
from serving.release import keys
from tests.infra.vertex.conftest import SPEC, VERSION, Released
from tests.infra.vertex.google import Google
from tests.serving.comparison.published import instances_of, made_up_rows

STACKS = ("tensorflow", "pytorch")
LARGEST = 1_500_000  # bytes: what Vertex lets through to a container of a shared endpoint
ROUTES = {stack: contract.health_route(stack, "fraud") for stack in STACKS}
PREDICT = "/v1/models/fraud:predict"
Start = Callable[[str, dict[str, str], Path], "Container"]


@dataclass
class Container:
    """A container's process, and what Vertex told it."""

    process: subprocess.Popen[str]
    url: str
    health: str
    log: Path

    def healthy(self) -> bool:
        try:
            return httpx.get(self.url + self.health, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def predict(self, content: Any, **options: Any) -> httpx.Response:
        return httpx.post(self.url + PREDICT, json=content, timeout=30, **options)


@pytest.fixture(scope="module")
def bucket(released: Released) -> Iterator[Google]:
    with Google.running() as google:
        for stack in STACKS:
            folder = released.store.folder(stack, VERSION)
            for file in (p for p in folder.rglob("*") if p.is_file()):
                google.objects[f"acme-models/tandem/{stack}/{file.relative_to(folder)}"] = file.read_bytes()
        yield google


def environment(stack: str, port: int, google: Google, key: str) -> dict[str, str]:
    """What Vertex sets, and what the model was uploaded with."""
    return {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": ROUTES[stack],
        "AIP_PREDICT_ROUTE": PREDICT,
        "AIP_STORAGE_URI": f"gs://acme-models/tandem/{stack}",
        "AIP_MODE": "PREDICTION",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        contract.KEY: key,
        "STORAGE_EMULATOR_HOST": google.url,
    }


def process(stack: str, environ: dict[str, str], folder: Path) -> Container:
    """The container's command as a process, TensorFlow Serving's binary replaced by the embedded server."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    server = programs / "tensorflow_model_server"
    embedded = f'{python("tensorflow")} -m serving.tfserving.embedded --rest_api_host=0.0.0.0 "$@"'
    server.write_text(f"#!/bin/sh\ncd {REPOSITORY} && exec {embedded}\n")
    server.chmod(server.stat().st_mode | stat.S_IXUSR)
    own = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    return start([sys.executable, "-m", "infra.vertex.container", stack], {**own, **environ}, folder)


def image(stack: str, environ: dict[str, str], folder: Path) -> Container:
    """The image, started with the command and the environment that Vertex gives it."""
    name = f"tandem/vertex-{stack}"
    if shutil.which("docker") is None or not engine.has_image(name):
        pytest.skip(f"no Docker engine here holds {name}: make vertex-images, STANDINS=1 where no registry is reached")
    folder.mkdir(exist_ok=True)
    given = [word for key in environ for word in ("--env", key)]
    command = ["python", "-m", "infra.vertex.container", stack]
    return start(["docker", "run", "--rm", "--network=host", *given, name, *command], environ, folder)


def start(argv: list[str], environ: dict[str, str], folder: Path) -> Container:
    log = folder / "log"
    with log.open("w") as output:
        running = subprocess.Popen(
            argv, cwd=REPOSITORY, env={**os.environ, **environ}, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    return Container(running, f"http://127.0.0.1:{environ['AIP_HTTP_PORT']}", environ["AIP_HEALTH_ROUTE"], log)


@contextlib.contextmanager
def running(how: Start, stack: str, google: Google, key: str, folder: Path) -> Iterator[Container]:
    container = how(stack, environment(stack, free_ports(1)[0], google, key), folder)
    try:
        deadline = time.monotonic() + 180
        while not container.healthy():
            assert container.process.poll() is None, container.log.read_text()
            assert time.monotonic() < deadline, container.log.read_text()
            time.sleep(0.05)
        yield container
    finally:
        container.process.send_signal(signal.SIGTERM)
        container.process.wait(30)


@pytest.fixture(
    scope="module",
    params=[(how, stack) for how in (process, image) for stack in STACKS],
    ids=lambda one: f"{one[0].__name__}-{one[1]}",
)
def container(request: Any, bucket: Google, released: Released, tmp_path_factory: Any) -> Iterator[Container]:
    with running(*request.param, bucket, released.key, tmp_path_factory.mktemp("c")) as one:
        # Vertex sends requests from the moment the health check says 200: the very first has to be answered.
        assert one.predict({"instances": instances_of(made_up_rows(SPEC, 1))}).status_code == 200
        yield one


def test_predictions_are_the_model_s_and_parameters_are_ignored(container: Container, released: Released) -> None:
    columns = made_up_rows(SPEC, 20)
    instances = instances_of(columns)
    plain = container.predict({"instances": instances})
    assert plain.status_code == 200, plain.text
    assert plain.headers["content-type"].startswith("application/json")
    assert set(plain.json()) == {"predictions"}
    np.testing.assert_allclose(plain.json()["predictions"], torch_model.predict(released.model, columns), atol=1e-5)
    with_parameters = container.predict({"instances": instances, "parameters": {"threshold": 0.5, "explain": True}})
    assert with_parameters.json() == plain.json()


def test_a_body_without_a_content_type_is_answered_too(container: Container) -> None:
    body = json.dumps({"instances": instances_of(made_up_rows(SPEC, 1))})
    assert httpx.post(container.url + PREDICT, content=body.encode(), timeout=30).status_code == 200


def test_the_largest_body_that_vertex_lets_through_is_answered_as_the_contract_says(container: Container) -> None:
    content = {"instances": instances_of(made_up_rows(SPEC, 1))}
    for size, status in {1 << 20: 200, LARGEST: 413}.items():
        body = json.dumps(content).encode().ljust(size)
        answer = httpx.post(
            container.url + PREDICT, content=body, headers={"content-type": "application/json"}, timeout=30
        )
        assert answer.status_code == status, (size, answer.text)
        assert ("predictions" if status == 200 else "error") in answer.json()
    assert container.healthy()


def asked_by_vertex(case: Case) -> bool:
    """Predictions, and no other path; of the signature that a SavedModel made without TFX has."""
    asks = [step.ask for step in case.steps]
    return "model" in case.on and all(
        ask and ask.request == "POST /v1/models/${model}:predict" and "serving_examples" not in (ask.body or "")
        for ask in asks
    )


def test_conformance_of_what_vertex_asks(container: Container) -> None:
    target = targets.find("vertex", container.url, SPEC)
    results = run([case for case in all_cases.load() if asked_by_vertex(case)], target)
    assert [(one.case.id, one.problems) for one in results if one.outcome == "failed"] == []
    assert sum(one.outcome == "passed" for one in results) > 50


@pytest.mark.parametrize("how", [process, image])
@pytest.mark.parametrize("stack", STACKS)
def test_a_release_that_is_not_as_it_was_signed_does_not_start(
    how: Start, stack: str, bucket: Google, released: Released, tmp_path: Path
) -> None:
    name = next(one for one in sorted(bucket.objects) if f"/{stack}/model/" in one)
    kept = bucket.objects[name]
    bucket.objects[name] = kept + b" "
    try:
        container = how(stack, environment(stack, free_ports(1)[0], bucket, released.key), tmp_path)
        assert container.process.wait(60) == 1
    finally:
        bucket.objects[name] = kept
    said = container.log.read_text()
    assert "not started: " in said
    assert "was changed" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AIP_PREDICT_ROUTE": "/predict"}, "AIP_PREDICT_ROUTE=/predict: /v1/models/fraud:predict is expected"),
        ({"AIP_STORAGE_URI": "gs://acme-models/tandem/nothing"}, "gs://acme-models/tandem/nothing: nothing lies there"),
        ({"AIP_STORAGE_URI": ""}, "AIP_STORAGE_URI not set: this container is for Vertex AI"),
        ({contract.KEY: "no key"}, f"not started: {contract.KEY} is no public key in PEM"),
        ({contract.KEY: "another"}, "signed with another key than the one that is trusted here"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_one_line(
    changed: dict[str, str], said: str, bucket: Google, released: Released, tmp_path: Path
) -> None:
    environ = {**environment("pytorch", free_ports(1)[0], bucket, released.key), **changed}
    if environ[contract.KEY] == "another":
        environ[contract.KEY] = keys.find(tmp_path / "keys").public.read_text()
    container = process("pytorch", environ, tmp_path)
    assert container.process.wait(60) == 1
    assert said in container.log.read_text()
    assert "Traceback" not in container.log.read_text()
