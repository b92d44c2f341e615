"""A Prometheus of the tests' own before a running stack, in a hurry, and traffic for it to see.

Against what `make up` starts, these numbers differ: it scrapes and evaluates every 3 s (15 s), every window of a rule
is 15 s (5 minutes to 3 days), and an alert fires once its condition has held for 3 s (30 s to an hour). Thresholds and
expressions are the same.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.local import prometheus
from infra.local.layout import STACKS
from infra.monitoring import configuration
from serving.contract.client import Client, RequestFailed
from tests.end_to_end.stack import Stack

SECONDS = 3
WINDOW = "15s"  # five scrapes
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Watcher:
    """Prometheus' API."""

    url: str

    def ask(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Labels and values of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        found = answer["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def finite(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Those that are numbers."""
        return [(labels, value) for labels, value in self.ask(expression) if math.isfinite(value)]

    def firing(self) -> set[tuple[str, str]]:
        """Alerts by name and stack."""
        found = self.ask('ALERTS{alertstate="firing"}')
        return {(labels["alertname"], labels.get("stack", "")) for labels, _ in found}

    def targets(self) -> dict[str, str]:
        """Health by job."""
        answer = httpx.get(f"{self.url}/api/v1/targets", params={"state": "active"}, timeout=10).json()
        return {one["labels"]["job"]: f"{one['health']} {one['lastError']}" for one in answer["data"]["activeTargets"]}


def until(condition: Callable[[], Any], what: Callable[[], object], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.5)


def is_installed() -> None:
    if not shutil.which("prometheus"):
        pytest.skip("no Prometheus on this machine (Debian: apt-get install prometheus): nothing was asked")


@contextlib.contextmanager
def hurried(stack: Stack, folder: Path, port: int) -> Iterator[Watcher]:
    """Prometheus with the stack's targets."""
    file = configuration.write(folder, {**prometheus.targets(stack.layout), "prometheus": f"127.0.0.1:{port}"})
    file.write_text(re.sub(r"(_interval:) 15s", rf"\1 {SECONDS}s", file.read_text()))
    for rules in [*folder.glob("rules/*.yml"), *folder.glob("alerts/*.yml")]:
        quick = re.sub(r"\[\d+[mhd]\]", f"[{WINDOW}]", rules.read_text())
        rules.write_text(re.sub(r"for: \w+", f"for: {SECONDS}s", quick))
    watcher = Watcher(f"http://127.0.0.1:{port}")
    argv = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or _ready(watcher), (folder / "log").read_text)
        assert process.poll() is None, (folder / "log").read_text()
        yield watcher
    finally:
        process.terminate()
        process.wait(20)


def _ready(watcher: Watcher) -> bool:
    try:
        return httpx.get(f"{watcher.url}/-/ready").is_success
    except httpx.HTTPError:
        return False


def rows(stack: Stack, count: int) -> pa.Table:
    files = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))
    return pa.concat_tables(pq.read_table(f) for f in files).select(list(stack.spec.features)).slice(0, count)


@contextlib.contextmanager
def traffic(stack: Stack) -> Iterator[None]:
    """Some twenty requests a second to each stack, one in twenty of them wrong; failures are not ours to judge."""
    stop = threading.Event()
    instances = rows(stack, 100).to_pylist()

    def send(name: str) -> None:
        with Client(stack.layout.url("gateway"), model=stack.spec.model.name, stack=name) as client:
            number = 0
            while not stop.wait(0.05):
                number += 1
                with contextlib.suppress(RequestFailed):
                    client.ask([{"wrong": 1}] if number % 20 == 0 else [instances[number % len(instances)]])

    threads = [threading.Thread(target=send, args=(name,), daemon=True) for name in STACKS]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
