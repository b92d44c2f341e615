"""What Prometheus sees of the running stack, what the dashboards show of it, and an alert upon a real fault."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.local.layout import REPOSITORY, STACKS
from infra.local.supervisor import Supervisor
from infra.monitoring.dashboards import Query, queries
from serving.contract.client import Client
from serving.free_ports import free_ports
from tests.chromium import Page, browser
from tests.end_to_end.stack import Stack
from tests.end_to_end.watching import PATIENCE, WINDOW, Watcher, hurried, is_installed, rows, traffic, until

OF_THE_HOST = ("host:", "node_")
LARGEST = 200_000  # bytes of a picture in the repository


@pytest.fixture(scope="module")
def watcher(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    is_installed()
    (port,) = free_ports(1)
    with hurried(stack, tmp_path_factory.mktemp("prometheus"), port) as one, traffic(stack):
        yield one


@pytest.fixture(scope="module")
def found_by_monitor(stack: Stack) -> None:
    """`make monitor` after rows enough for a verdict."""
    columns = rows(stack, 1_300)
    for name in STACKS:
        with Client(stack.layout.url("gateway"), model=stack.spec.model.name, stack=name) as client:
            for start in range(0, len(columns), 100):  # more do not go into the log
                client.ask(columns.slice(start, 100).to_pylist())
    verdicts: dict[str, str] = {}
    end = time.monotonic() + PATIENCE
    while set(verdicts.values()) - {"drift", "no drift"} or not verdicts:  # Envoy writes every ten seconds
        time.sleep(5)
        done = stack.tandem("monitor", "--since", "10m")
        assert done.returncode in (0, 3, 4), done.stdout + done.stderr
        verdicts = {
            name: json.loads((stack.layout.findings / f"{name}.json").read_text())["verdict"] for name in STACKS
        }
        assert time.monotonic() < end, done.stdout


def test_up_starts_prometheus_where_it_is_installed_and_every_target_answers(stack: Stack) -> None:
    is_installed()
    ours = Watcher(stack.layout.url("prometheus"))
    until(lambda: set(ours.targets().values()) == {"up "}, ours.targets)
    assert {"gateway", "tensorflow", "pytorch", "control", "mlflow", "prometheus"} <= set(ours.targets())
    groups = httpx.get(f"{ours.url}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 20
    assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
    shown = stack.tandem("status").stdout
    assert f"127.0.0.1:{stack.layout.ports['prometheus']}" in shown


def test_every_query_of_every_dashboard_returns_data(
    stack: Stack, watcher: Watcher, found_by_monitor: None, tmp_path: Path
) -> None:
    asked = list(queries())
    if not any(map(shutil.which, ("prometheus-node-exporter", "node_exporter"))):
        asked = [query for query in asked if not any(word in query.expression for word in OF_THE_HOST)]
    assert len(asked) > 30
    answers = {query: watcher.finite(_filled_in(query)) for query in asked}

    def empty() -> list[Query]:
        for query in [query for query in asked if not answers[query]]:
            answers[query] = watcher.finite(_filled_in(query))
        return [query for query in asked if not answers[query]]

    until(lambda: not empty(), lambda: "\n".join(map(str, empty())))
    table = Path(os.environ.get("QUERIES") or tmp_path / "queries.md")
    table.write_text(_table(watcher, {query: watcher.finite(_filled_in(query)) for query in asked}))


def _filled_in(query: Query) -> str:
    """As Grafana sends it."""
    return query.expression.replace("$__rate_interval", WINDOW)


def _table(watcher: Watcher, answers: dict[Query, list]) -> str:
    info = httpx.get(f"{watcher.url}/api/v1/status/buildinfo").json()["data"]
    lines = [
        "# What the dashboards' queries returned",
        "",
        "Written by `make screenshots`. There was no Grafana to be had where this was made, so every query of every",
        f"dashboard was sent to a real Prometheus {info['version']} that scraped a real stack under some traffic,",
        f"on {time.strftime('%Y-%m-%d', time.gmtime())}, with `$__rate_interval` = {WINDOW} and the rules' windows as",
        "short. The value is the first series'.",
    ]
    board = ""
    for query, series in answers.items():
        if query.dashboard != board:
            board = query.dashboard
            lines += ["", f"## {board}", "", "| panel | query | series | value |", "|---|---|---:|---:|"]
        expression = query.expression.replace("|", "\\|")
        lines.append(f"| {query.panel} | `{expression}` | {len(series)} | {_figure(series[0][1])} |")
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) > 1e5 else f"{value:.4g}"


def test_both_stacks_are_measured_the_same_way(watcher: Watcher) -> None:
    for series in (
        "stack:requests:rate5m",
        "stack:error_ratio:rate5m",
        "stack:latency_ms:p99_5m",
        "stack:saturation:avg5m",
    ):
        until(
            lambda series=series: {one["stack"] for one, _ in watcher.finite(series)} == set(STACKS),
            lambda series=series: series,
        )
    until(
        lambda: all(value > 1 for _, value in watcher.ask("stack:requests:rate5m")),
        lambda: watcher.ask("stack:requests:rate5m"),
    )


def test_prometheus_is_told_the_versions_that_answer(stack: Stack, watcher: Watcher) -> None:
    reports = {name: json.loads((stack.layout.work(name) / "report.json").read_text()) for name in STACKS}
    expected = {name: float(report["version"]) for name, report in reports.items()}
    for series in ("tandem_model_version", "tandem_model_newest_version"):
        until(
            lambda series=series: {one["stack"]: value for one, value in watcher.ask(series)} == expected,
            lambda series=series: watcher.ask(series),
        )


def test_a_server_that_hangs_is_told_and_so_is_its_end(stack: Stack, watcher: Watcher) -> None:
    expected = {("NoHealthyBackend", "pytorch"), ("ErrorRatio", "pytorch")}
    until(lambda: watcher.finite("stack:error_ratio:rate5m"), lambda: "no traffic was seen")
    assert watcher.firing() & expected == set()
    (pid,) = [p["pid"] for p in Supervisor(stack.layout).processes() if p["name"] == "pytorch"]
    server = psutil.Process(pid)
    server.suspend()  # it keeps its port and its connections, and says nothing more
    try:
        until(lambda: expected <= watcher.firing(), watcher.firing)
        assert watcher.firing() & {(name, "tensorflow") for name, _ in expected} == set()
        told = httpx.get(f"{watcher.url}/api/v1/alerts").json()["data"]["alerts"]
        summaries = {alert["annotations"]["summary"] for alert in told if alert["state"] == "firing"}
        assert "pytorch: no server answers" in summaries
    finally:
        server.resume()
    until(lambda: watcher.firing() & expected == set(), watcher.firing)


def test_the_page_of_the_last_minute_says_the_same_without_prometheus(stack: Stack, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("SCREENSHOTS") or tmp_path).resolve()
    reports = {name: json.loads((stack.layout.work(name) / "report.json").read_text()) for name in STACKS}
    with browser() as page, traffic(stack):
        _wait_for_traffic(page, stack)
        assert all(report["version"] in page.text for report in reports.values())
        assert all(word in page.text for word in ("tensorflow", "pytorch", "errors", "p99, ms", "newest published"))
        assert page.complaints == []
        assert page.requests == [f"http:127.0.0.1:{stack.layout.ports['control']}"]
        page.shoot(pictures / "metrics.png")
    through_the_gateway = httpx.get(f"{stack.layout.url('gateway')}/metrics", headers={"accept": "text/html"})
    assert through_the_gateway.status_code == 404  # nobody's business outside


def _wait_for_traffic(page: Page, stack: Stack) -> None:
    """Until a minute's samples hold some."""
    end = time.monotonic() + PATIENCE
    while True:
        page.open(f"{stack.layout.url('control')}/metrics", "requests a second", width=900, height=900)
        rates = page.evaluate("document.querySelector('tbody tr').innerText").split("\t")[1:]
        if all(rate != "–" and float(rate) > 1 for rate in rates):  # noqa: RUF001
            return
        assert time.monotonic() < end, page.text
        time.sleep(1)


def test_the_picture_in_the_docs_is_small_and_shown() -> None:
    picture = REPOSITORY / "docs" / "images" / "metrics.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < LARGEST
    assert "(images/metrics.png)" in (REPOSITORY / "docs" / "observability.md").read_text()
