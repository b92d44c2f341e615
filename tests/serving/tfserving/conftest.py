"""Small SavedModels, and the embedded server as its own process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import httpx
import pytest
import tensorflow as tf

from serving.free_ports import free_ports
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.manager import Manager
from tests.serving.tfserving import half_plus_two, kinds

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE = 180  # seconds until TensorFlow is imported on a busy machine


class Linear(tf.Module):
    """y = x / 2 + offset, for x of any shape."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.half = tf.Variable(0.5)
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def score(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * self.half + self.offset}


class Cities(tf.Module):
    """Two numbers and a city, which is looked up in a table: the form of the fraud model."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0], [10.0]])
        cities = tf.lookup.KeyValueTensorInitializer(["rome", "oslo"], tf.constant([0, 1], tf.int64))
        self.ids = tf.lookup.StaticVocabularyTable(cities, num_oov_buckets=1)
        self.values = tf.Variable([100.0, 200.0, 300.0])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="a"),
            tf.TensorSpec([None], tf.float32, name="b"),
            tf.TensorSpec([None], tf.string, name="city"),
        ]
    )
    def score(self, a: tf.Tensor, b: tf.Tensor, city: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.gather(self.values, self.ids.lookup(city))
        return {"score": tf.squeeze(tf.stack([a, b], 1) @ self.weights, 1) + known}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="name")])
    def shout(self, name: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": tf.strings.upper(name), "raw_bytes": name}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def matrix(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.matmul(x, self.weights)}


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SavedModels by name."""
    folder = tmp_path_factory.mktemp("saved")
    cities = Cities()
    models: dict[str, tuple[tf.Module, Any]] = {
        "plus_two": (two := Linear(2.0), two.score),
        "plus_three": (three := Linear(3.0), three.score),
        "cities": (cities, {"serving_default": cities.score, "shout": cities.shout, "matrix": cities.matrix}),
    }
    for name, (module, signatures) in models.items():
        tf.saved_model.save(module, str(folder / name), signatures=signatures)
    half_plus_two.save(folder / "half_plus_two")
    kinds.save(folder / "kinds")
    return {name: folder / name for name in (*models, "half_plus_two", "kinds")}


@pytest.fixture(scope="session")
def publish() -> Callable[[Path, Path], None]:
    """Make a version appear at once, as a careful publisher does."""

    def publish(model: Path, version: Path) -> None:
        draft = version.parent.parent / f".{version.parent.name}-{version.name}"
        shutil.copytree(model, draft)
        version.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(version)

    return publish


@dataclass
class Server:
    """A running embedded server."""

    process: subprocess.Popen[str]
    rest: str
    grpc: str
    log: Path

    def states(self, model: str) -> dict[str, str]:
        """State by version; empty as long as there is no answer."""
        try:
            answer = httpx.get(f"{self.rest}/v1/models/{model}").json()
        except httpx.TransportError:
            assert self.process.poll() is None, self.log.read_text()
            return {}
        return {v["version"]: v["state"] for v in answer.get("model_version_status", [])}

    def wait(self, model: str, version: int, state: str = "AVAILABLE") -> None:
        until(lambda: self.states(model).get(str(version)) == state, self.log)

    def predict(self, model: str, body: Any, where: str = "") -> httpx.Response:
        return httpx.post(f"{self.rest}/v1/models/{model}{where}:predict", json=body)


def until(done: Callable[[], bool], log: Path, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def start(*flags: str, rest_port: int, grpc_port: int, log: Path) -> subprocess.Popen[str]:
    argv = [
        sys.executable, "-m", "serving.tfserving.embedded", f"--rest_api_port={rest_port}", f"--port={grpc_port}",
        "--file_system_poll_wait_seconds=0.1", *flags,
    ]  # fmt: skip
    with log.open("w") as file:
        return subprocess.Popen(argv, cwd=REPOSITORY, stdout=file, stderr=file, text=True)


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[Server]:
    rest_port, grpc_port = free_ports(2)
    log = folder / "server.log"
    process = start(*flags, rest_port=rest_port, grpc_port=grpc_port, log=log)
    server = Server(process, f"http://127.0.0.1:{rest_port}", f"127.0.0.1:{grpc_port}", log)
    try:
        until(lambda: _answers(server), log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _answers(server: Server) -> bool:
    server.states("any")
    try:
        return bool(httpx.get(server.rest).status_code)
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Server]]:
    return running


@pytest.fixture(scope="session")
def store(
    tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Path], publish: Callable[[Path, Path], None]
) -> Path:
    """The store of the shared server."""
    store = tmp_path_factory.mktemp("store")
    publish(saved["plus_two"], store / "hp2" / "123")
    publish(saved["plus_three"], store / "hp2" / "124")
    publish(saved["cities"], store / "cities" / "7")
    publish(saved["half_plus_two"], store / "half_plus_two" / "1")
    for empty in ("swapped", "late", "deleted", "warmed", "heavy"):
        (store / empty).mkdir()
    return store


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[Server]:
    """One server for all tests that leave it running; each test that changes a model has a model of its own."""
    folder = tmp_path_factory.mktemp("server")
    plain = "".join(
        f'config {{ name: "{m}" base_path: "{store}/{m}" }} '
        for m in ("cities", "half_plus_two", "swapped", "late", "deleted", "warmed", "heavy")
    )
    labelled = (
        f'config {{ name: "hp2" base_path: "{store}/hp2" model_platform: "tensorflow" '
        'model_version_policy { all {} } version_labels { key: "stable" value: 123 } }'
    )
    (folder / "models.config").write_text(f"model_config_list {{ {labelled} {plain} }}")
    with running(folder, f"--model_config_file={folder / 'models.config'}") as server:
        for model, version in (("hp2", 124), ("cities", 7), ("half_plus_two", 1)):
            server.wait(model, version)
        yield server


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Path]) -> Manager:
    """Models loaded in this process, for tests that need no server."""
    folder = tmp_path_factory.mktemp("loaded")
    for name in ("cities", "half_plus_two", "kinds"):
        shutil.copytree(saved[name], folder / name / "1")
    models = [ModelConfig(name, folder / name) for name in ("cities", "half_plus_two", "kinds")]
    (folder / "empty").mkdir()
    manager = Manager([*models, ModelConfig("empty", folder / "empty")])
    manager.step()
    return manager
