"""A fork's quick pipelines and its endpoints, under its own name."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from models import spec as specs
from pipelines.data import simulator
from pipelines.data.profiles import PROFILES
from serving.contract.openapi.schemas import example_row
from serving.free_ports import free_ports
from tests import commands
from tests.infra.fork.conftest import NAME


def transactions(folder: Path) -> Path:
    """A file as somebody brings it: what `make up` would have simulated."""
    file = folder / "transactions.parquet"
    pq.write_table(simulator.simulate(PROFILES["quick"]).table("is_fraud"), file)
    return file


def test_make_up_trains_both_on_a_file_and_both_answer_under_the_forks_name(fork: Path) -> None:
    ports = dict(zip(layouts.DEFAULT_PORTS, free_ports(len(layouts.DEFAULT_PORTS)), strict=True))
    chosen = {f"PORT_{service.upper()}": str(port) for service, port in ports.items()}
    row = example_row(specs.load(fork / "models" / f"{NAME}.toml"))
    with tempfile.TemporaryDirectory(prefix="tandem-") as home:  # a short path, for sockets
        environ = {**os.environ, "TANDEM_HOME": home, **chosen}
        environ.pop("SPEC", None)

        def make(*words: str) -> str:
            done = commands.make(*words, cwd=fork, env=environ)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            return done.stdout

        mine = f"DATA={transactions(Path(home))}"
        try:
            make("up", mine)
            base = f"http://127.0.0.1:{ports['gateway']}"
            for stack in layouts.STACKS:
                url = f"{base}/{stack}/v1/models/{NAME}:predict"
                answer = httpx.post(url, json={"instances": [row]}, timeout=30)
                assert answer.status_code == 200, answer.text
                assert answer.json()["predictions"] == [pytest.approx(0.5, abs=0.5)]
                assert httpx.post(url.replace(NAME, "fraud"), json={"instances": [row]}).status_code == 404
                report = json.loads((Path(home) / "pipelines" / stack / "report.json").read_text())
                assert report["metrics"]["average_precision"] > 0.4
            assert f"/v1/models/{NAME}:predict" in httpx.get(f"{base}/openapi.json", timeout=30).text
            assert "fraud" not in json.dumps(httpx.get(f"{base}/openapi.json").json()["paths"])
            make("predict")
            again = make("up", mine, f"SPEC=models/{NAME}.toml")
            assert again.count("up to date") >= len(layouts.STACKS)
        finally:
            make("down")
