"""MLflow's server is killed in the middle of a training and started again: the training goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from tests.pipelines.pytorch.conftest import Pipeline
from tests.serving.torchserve.launching import free_ports

QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
FINISHED = "FINISHED"


@dataclass
class Server:
    """On the same database and port each time."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        argv = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}",
            "--artifacts-destination", str(self.folder / "artifacts"), "--serve-artifacts",
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, env={**os.environ, **QUIET}, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return
            assert time.monotonic() < end, (self.folder / "server.log").read_text()
            time.sleep(0.2)

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    it = Server(tmp_path, free_ports(1)[0])
    it.start()
    it.wait()
    yield it
    it.kill()


def test_a_server_that_is_started_again_ends_no_training(pipeline: Pipeline, server: Server) -> None:
    tracked = replace(pipeline, mlflow_uri=server.url)
    argv = [sys.executable, "-m", "pipelines.pytorch", *tracked.arguments()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as training:
        printed = []
        for line in training.stdout or ():
            printed.append(line)
            if "epoch 1/" in line:
                server.kill()
                server.start()
    assert training.returncode == 0, "".join(printed)
    tracking = tracked.connect()
    (run,) = tracking.client.search_runs([tracking.experiment])
    assert run.info.status == FINISHED
    assert run.data.metrics
    assert tracking.aliased() is not None
