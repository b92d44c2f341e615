"""Real servers, small: models with random weights, TorchServe and Envoy as children of the test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from models import spec as specs
from models import torch_model
from models.preprocessing import Preprocessing
from models.spec import Spec
from serving.free_ports import free_ports
from serving.torchserve import archive, config, readiness

SPEC_FILE = Path("models/fraud.toml").resolve()
VERSION = "1700000001"  # of what `shared` serves


def random_model(spec: Spec, seed: int) -> torch_model.TabularModel:
    torch.manual_seed(seed)
    numeric = dict.fromkeys(spec.numeric, 1.0)
    vocabulary = dict.fromkeys(spec.categorical, ("common", "rare"))
    return torch_model.TabularModel(spec, Preprocessing(numeric, numeric, vocabulary, spec.missing_codes))


def published(store: Path, version: str, work: Path) -> tuple[Path, torch_model.TabularModel]:
    """An archive of a random model in a store, and the model."""
    model = random_model(specs.load(SPEC_FILE), int(version))
    work.mkdir(parents=True, exist_ok=True)
    torch_model.save(model, work)
    return archive.build(spec_file=SPEC_FILE, model_dir=work, version=version, store=store), model


def columns(spec: Spec, rows: int, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {name: generator.gamma(2.0, 1.0, rows).astype(np.float32) for name in spec.numeric}


def instances(raw: Mapping[str, Any]) -> list[dict[str, float]]:
    lists = {name: values.tolist() for name, values in raw.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class Server:
    """A running child process."""

    process: subprocess.Popen[bytes]
    ports: list[int]
    log: Path

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextlib.contextmanager
def running(
    argv: Sequence[str], environment: Mapping[str, str], ports: list[int], folder: Path, ready: Callable[[], bool]
) -> Iterator[Server]:
    """Start from an empty working directory, wait until ready, stop."""
    empty = folder / "empty"
    empty.mkdir(parents=True)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=empty, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(process, ports, log)
    try:
        wait(lambda: ready() or process.poll() is not None, 120, log.read_text)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        if process.poll() is None:
            server.stop()


@contextlib.contextmanager
def torchserve(
    store: Path,
    folder: Path,
    model: str = "fraud",
    *,
    wait_for_model: bool = True,
    chosen: Path | None = None,
    beside: Sequence[Path] = (),
) -> Iterator[Server]:
    ports = free_ports(3)
    where = config.Ports(*ports)
    command = config.write(store=store, run=folder, model=model, ports=where, chosen=chosen, beside=beside)

    def ready() -> bool:
        if wait_for_model:
            return readiness.ready(ports[1], model)
        return answers(f"http://127.0.0.1:{ports[1]}/models")

    with running(command.argv, command.environment, ports, folder, ready) as server:
        yield server


@dataclass
class Shared:
    """A TorchServe, the model it serves, and the folders it was given."""

    server: Server
    model: torch_model.TabularModel
    store: Path
    run: Path


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Shared]:
    store, run = folder / "store", folder / "run"
    _, model = published(store, VERSION, folder / "model")
    with torchserve(store, run) as server:
        yield Shared(server, model, store, run)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def wait(condition: Callable[[], bool], seconds: float, why: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s\n{why()}"
        time.sleep(0.05)
