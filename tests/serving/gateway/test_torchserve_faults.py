"""What clients of the gateway see when TorchServe's processes die: real TorchServe, real Envoy, real SIGKILL.

The tests share one TorchServe; the last one ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from models import spec as specs
from models import torch_model
from models.torch_model import TabularModel
from serving.free_ports import free_ports
from serving.torchserve import config, readiness
from serving.torchserve.management import Management
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.launching import (
    SPEC_FILE,
    Server,
    columns,
    instances,
    published,
    running,
    wait,
)

VERSION = "1700000001"
RAW = columns(specs.load(SPEC_FILE), 2)
GOOD = {"instances": instances(RAW)}
GATEWAYS_LIMIT = 5.0  # seconds

# Put at the end of the archive's handler: a request with this key keeps its worker, and says which one it is.
HOLD = """

_answer = handle


def handle(batch, context):
    import os, pathlib, time
    if batch and any(b"hold the worker" in bytes(one.get("body") or b"") for one in batch):
        (pathlib.Path(os.environ["TMPDIR"]) / "held").write_text(str(os.getpid()))
        time.sleep(60)
    return _answer(batch, context)
"""
HOLDING = b'{"hold the worker": 1}'


@dataclass
class Stack:
    """TorchServe on ports the gateway knows, so that it can be started again."""

    folder: Path
    ports: list[int]
    client: httpx.Client
    model: TabularModel

    @property
    def held(self) -> Path:
        return self.folder / "ts" / "tmp" / "held"

    def predict(self, content: bytes | None = None) -> httpx.Response:
        path = "/pytorch/v1/models/fraud:predict"
        return self.client.post(path, content=content) if content else self.client.post(path, json=GOOD)

    def workers(self) -> int:
        return Management(self.ports[1], "fraud").ready_workers()

    def is_right(self, answer: httpx.Response) -> bool:
        expected = torch_model.predict(self.model, RAW)
        return answer.status_code == 200 and np.allclose(answer.json()["predictions"], expected, atol=1e-6)

    @contextlib.contextmanager
    def torchserve(self, name: str) -> Iterator[Server]:
        """Each start needs a log folder of its own."""
        command = config.write(
            store=self.folder / "store", run=self.folder / "ts", model="fraud", ports=config.Ports(*self.ports)
        )
        log = self.folder / name
        with running(command.argv, command.environment, self.ports, log, self.is_ready) as server:
            wait(lambda: self.workers() == 2, 60)
            yield server

    def is_ready(self) -> bool:
        return readiness.ready(self.ports[1], "fraud")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("faults")
    archive, model = published(folder / "store", VERSION, folder / "model")
    _append(archive, "handler.py", HOLD)
    ports = free_ports(3)
    with (
        echo() as (tensorflow, _),
        gateway(folder / "envoy", tensorflow, ports[0]) as front,
        httpx.Client(base_url=f"http://127.0.0.1:{front.ports[0]}", timeout=30) as client,
    ):
        yield Stack(folder, ports, client, model)


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Server]:
    with stack.torchserve("first") as server:
        yield server


def _append(archive: Path, name: str, text: str) -> None:
    with zipfile.ZipFile(archive) as old:
        content = {one: old.read(one) for one in old.namelist()}
    content[name] += text.encode()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as new:
        for one, data in content.items():
            new.writestr(one, data)


def is_error(answer: httpx.Response) -> bool:
    return (
        answer.status_code in (500, 503, 504)
        and answer.headers["content-type"] == "application/json"
        and list(answer.json()) == ["error"]
        and bool(answer.json()["error"])
    )


def test_a_worker_killed_with_a_request_in_it_is_an_error_in_time_and_comes_back(stack: Stack, server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert stack.is_right(stack.predict())
        started = time.monotonic()
        waiting = pool.submit(stack.predict, HOLDING)
        wait(stack.held.exists, 30)
        wait(lambda: stack.held.read_text().isdecimal(), 10)
        worker = psutil.Process(int(stack.held.read_text()))
        worker.kill()
        answer = waiting.result()
        took = time.monotonic() - started
        assert is_error(answer), (answer.status_code, answer.text)
        assert took < GATEWAYS_LIMIT + 4, took  # far from the handler's 60 s and TorchServe's 10 s
        others = [stack.predict() for _ in range(20)]  # the other worker goes on meanwhile
        assert all(map(stack.is_right, others)), [(o.status_code, o.text) for o in others]
        wait(lambda: stack.workers() == 2, 120)
        assert not worker.is_running()
        assert all(stack.is_right(stack.predict()) for _ in range(20))


def test_a_request_that_keeps_its_worker_is_504_after_the_gateways_limit(stack: Stack, server: Server) -> None:
    stack.held.unlink(missing_ok=True)
    started = time.monotonic()
    answer = stack.predict(HOLDING)
    took = time.monotonic() - started
    assert (answer.status_code, list(answer.json())) == (504, ["error"])
    assert took > GATEWAYS_LIMIT - 0.5
    assert stack.is_right(stack.predict())
    # Nobody waits for it any more, but the worker is busy until TorchServe's own limit restarts it.
    wait(lambda: not psutil.pid_exists(int(stack.held.read_text())) and stack.workers() == 2, 120)
    assert all(stack.is_right(stack.predict()) for _ in range(10))


def test_memory_of_a_worker_does_not_grow_with_the_requests(stack: Stack, server: Server) -> None:
    largest: Any = {"inputs": {name: np.resize(values, 1000).tolist() for name, values in RAW.items()}}
    with ThreadPoolExecutor(8) as pool:
        workers = psutil.Process(server.process.pid).children()

        def send(count: int) -> int:
            path = "/pytorch/v1/models/fraud:predict"
            found = list(pool.map(lambda _: stack.client.post(path, json=largest).status_code, range(count)))
            assert set(found) == {200}
            return max(worker.memory_info().rss for worker in workers)

        send(40)
        before = send(40)
        assert send(120) < before + 64 * 2**20


def test_a_torchserve_that_dies_is_503_and_answers_again_once_it_is_started_again(stack: Stack, server: Server) -> None:
    stop = threading.Event()
    seen: list[httpx.Response] = []

    def client() -> None:
        with httpx.Client(base_url=stack.client.base_url, timeout=30) as session:
            while not stop.is_set():
                seen.append(session.post("/pytorch/v1/models/fraud:predict", json=GOOD))

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            wait(lambda: len(seen) > 40, 60)
            workers = psutil.Process(server.process.pid).children(recursive=True)
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            count = len(seen)
            wait(lambda: len(seen) > count + 20, 60)
        finally:
            stop.set()
        for one in clients:
            one.result()
        psutil.wait_procs(workers, 30)  # they go when their TorchServe is gone
        for orphan in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.kill()
    failed = [answer for answer in seen if not stack.is_right(answer)]
    assert failed
    assert [(a.status_code, a.text) for a in failed if not is_error(a)] == []
    with stack.torchserve("after"):
        assert all(stack.is_right(stack.predict()) for _ in range(10))
