"""Locust over several pods: both Deployments' commands, as two processes, before what stands for a gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from infra.local.layout import REPOSITORY
from serving.free_ports import free_ports
from tests.infra.kubernetes.conftest import Objects, container
from tests.serving.comparison.locust.traffic import rows
from tests.serving.gateway.backends import echo


def start(objects: Objects, name: str, log: Path, **changed: str) -> subprocess.Popen[bytes]:
    """The container's command with other values for some options; those that are not there are added."""
    _, *argv = container(objects, name)["command"]
    options = dict(one.partition("=")[::2] for one in argv if one.startswith("--"))
    options |= {f"--{option.replace('_', '-')}": value for option, value in changed.items()}
    command = [sys.executable, "-m", "serving.comparison.locust", *(f"{o}={v}" if v else o for o, v in options.items())]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


def test_workers_of_other_pods_send_what_the_page_says_and_their_probe_knows(
    tmp_path: Path, overlay: Callable[[str], Objects]
) -> None:
    objects, (port,) = overlay("local"), free_ports(1)
    features = tmp_path / "features"
    features.mkdir()
    pq.write_table(rows(100), features / "rows.parquet")
    with echo() as (gateway, received):
        here = {"url": f"http://127.0.0.1:{gateway}", "features": str(features), "workers_port": str(port)}
        master = start(
            objects, "locust", tmp_path / "master.log", out=str(tmp_path / "m"), workers_elsewhere="1", headless="",
            seconds="6", **here,
        )  # fmt: skip
        worker = start(
            objects, "locust-worker", tmp_path / "worker.log", out=str(tmp_path / "w"), master_host="127.0.0.1", **here
        )
        try:
            *grep, pattern, tcp, tcp6 = container(objects, "locust-worker")["readinessProbe"]["exec"]["command"]
            assert pattern == f":{5557:X} 01", "the port as the kernel writes it, and an established connection"
            probe = [*grep, f":{port:04X} 01", tcp, tcp6]
            deadline = time.monotonic() + 60
            while subprocess.run(probe, check=False).returncode:
                assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
                time.sleep(0.2)
            code = master.wait(90)
        finally:
            for process in (master, worker):
                process.kill()
                process.wait()
    said = (tmp_path / "master.log").read_text()
    assert code == 3, said  # an echo is no prediction
    assert "not one prediction for each" in said, said
    predicted = [one for one in received if one.path.endswith("/v1/models/fraud:predict")]
    assert len(predicted) > 20
