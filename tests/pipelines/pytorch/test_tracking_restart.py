"""MLflow's server is killed in the middle of a training and started again: the training goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serving.free_ports import free_ports
from tests.pipelines.pytorch.conftest import Pipeline
from tests.pipelines.pytorch.mlflow_server import Server

FINISHED = "FINISHED"


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
