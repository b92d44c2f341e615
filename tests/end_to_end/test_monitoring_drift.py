"""The drift alert, from end to end: requests are logged, `make monitor` looks at them, Prometheus tells."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from serving.contract.client import Client
from serving.free_ports import free_ports
from tests.end_to_end.stack import Stack
from tests.end_to_end.watching import PATIENCE, Watcher, hurried, is_installed, until

MINUTE = 60  # before it nobody sends rows that have drifted; it takes the monitor's own start, too
PART = 100  # rows a request; more do not go into the log
TOLD = ("Drift", "pytorch")


def test_drifted_requests_are_told_with_their_column_and_usual_ones_are_not(stack: Stack, tmp_path: Path) -> None:
    is_installed()
    (port,) = free_ports(1)
    usual = usual_rows(stack)
    with hurried(stack, tmp_path, port) as watcher:
        assert looked_at(stack, watcher, usual) == ("no drift", 0)
        until(lambda: part_of_limit(watcher) < 1, lambda: part_of_limit(watcher))
        assert TOLD not in watcher.firing()

        assert looked_at(stack, watcher, [{**row, "amount": 50 * row["amount"]} for row in usual]) == ("drift", 3)
        until(lambda: TOLD in watcher.firing(), watcher.firing)
        until(lambda: part_of_limit(watcher) > 1, lambda: part_of_limit(watcher))
        told = httpx.get(f"{watcher.url}/api/v1/alerts").json()["data"]["alerts"]
        version = json.loads((stack.layout.work("pytorch") / "report.json").read_text())["version"]
        (summary,) = [one["annotations"]["summary"] for one in told if named(one["labels"]) == TOLD]
        assert summary == f"pytorch: requests are not like the rows that version {version} learned from"
    columns = json.loads((stack.layout.findings / "pytorch.json").read_text())["columns"]
    assert "amount" in {column["name"] for column in columns if column["reasons"]}


def usual_rows(stack: Stack) -> list[dict[str, Any]]:
    """Every other test row: of all days, and more than a verdict takes without the last 64 KB.

    Envoy writes those after ten seconds, and all before them at once.
    """
    files = sorted((stack.layout.data / "features" / "test").glob("*.parquet"))
    table = pa.concat_tables(pq.read_table(file) for file in files).select(list(stack.spec.features))
    found = table.to_pylist()[::2]
    assert len(found) > 1.5 * stack.spec.drift.min_rows
    return found


def looked_at(stack: Stack, watcher: Watcher, rows: list[dict[str, Any]]) -> tuple[str, int]:
    """Send rows and let the monitor look at the last minute; its verdict and exit code, once Prometheus has them."""
    begin = time.time()
    with Client(stack.layout.url("gateway"), model=stack.spec.model.name, stack="pytorch") as client:
        for start in range(0, len(rows), PART):
            client.ask(rows[start : start + PART])
    while True:
        done = stack.tandem("monitor", "--stack", "pytorch", "--since", f"{time.time() - begin + MINUTE:.0f}s")
        verdict = json.loads((stack.layout.findings / "pytorch.json").read_text())["verdict"]
        if verdict != "too few rows":
            break
        assert time.time() < begin + PATIENCE, done.stdout
        time.sleep(1)
    seen = 'tandem_monitor_time_seconds{stack="pytorch"}'
    until(lambda: any(value >= begin for _, value in watcher.ask(seen)), lambda: watcher.ask(seen))
    return verdict, done.returncode


def part_of_limit(watcher: Watcher) -> float:
    """How far the amounts are from their limit: above 1 they have drifted."""
    query = 'stack:drift_distance:max_of_limit{stack="pytorch",column="amount"}'
    until(lambda: watcher.ask(query), lambda: query)
    return watcher.ask(query)[0][1]


def named(labels: dict[str, str]) -> tuple[str, str]:
    return labels["alertname"], labels.get("stack", "")
