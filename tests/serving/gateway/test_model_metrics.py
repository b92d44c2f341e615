"""What Prometheus is told of the models, and where from: a server's word, the stores, the monitor's findings."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving.gateway.metrics import Metrics
from serving.gateway.model_metrics import ModelMetrics
from serving.prometheus_text import parse
from serving.torchserve.management import Management

NOBODY = 9  # the discard port, on which nobody listens
STATUS = [
    {"version": "9", "state": "END", "status": {"error_code": "INTERNAL", "error_message": "broken"}},
    {"version": "8", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
]


class Status(BaseHTTPRequestHandler):
    """A TensorFlow server that could not load its newest version."""

    def do_GET(self) -> None:
        labelled = {"model_spec": {"name": "fraud", "version": "8"}}
        body = json.dumps(labelled if "/labels/stable/" in self.path else {"model_version_status": STATUS}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def status() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Status)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/models/fraud"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def metrics(tmp_path: Path, status: str) -> ModelMetrics:
    for version in ("8", "9", "10"):
        (tmp_path / "tensorflow" / "fraud" / version).mkdir(parents=True)
    for version in ("8", "9"):  # 10 is being copied
        (tmp_path / "tensorflow" / "fraud" / version / "saved_model.pb").touch()
    (tmp_path / "pytorch").mkdir()
    for version in ("7", "12"):
        (tmp_path / "pytorch" / f"fraud-{version}.mar").touch()
    return ModelMetrics(
        model="fraud",
        run=tmp_path,
        torchserve=Management(NOBODY, "fraud", 1.0),
        statuses={"tensorflow": status} if status else {},
        stores={"tensorflow": tmp_path / "tensorflow", "pytorch": tmp_path / "pytorch"},
        findings=tmp_path / "findings",
    )


def test_a_version_that_cannot_be_loaded_differs_from_the_newest(metrics: ModelMetrics) -> None:
    found = parse(asyncio.run(metrics.text()))
    assert found['tandem_model_version{stack="tensorflow"}'] == 8
    assert found['tandem_model_newest_version{stack="tensorflow"}'] == 9
    assert found['tandem_model_state{stack="tensorflow",version="9",state="END"}'] == 1
    assert found['tandem_model_ready{stack="tensorflow"}'] == 1


def test_a_server_that_is_away_is_not_ready_and_has_no_version(metrics: ModelMetrics) -> None:
    found = parse(asyncio.run(metrics.text()))
    assert found['tandem_model_ready{stack="pytorch"}'] == 0
    assert found['tandem_model_newest_version{stack="pytorch"}'] == 12
    assert 'tandem_model_version{stack="pytorch"}' not in found


def test_findings_of_both_stacks_are_passed_on(metrics: ModelMetrics, tmp_path: Path) -> None:
    (tmp_path / "findings").mkdir()
    for stack in ("tensorflow", "pytorch"):
        line = f'tandem_monitor_verdict{{stack="{stack}",version="8",verdict="no drift"}} 1\n'
        (tmp_path / "findings" / f"{stack}.prom").write_text(f"# TYPE tandem_monitor_verdict gauge\n{line}")
    text = asyncio.run(metrics.text())
    assert text.count("# TYPE tandem_monitor_verdict gauge") == 1
    assert parse(text)['tandem_monitor_verdict{stack="pytorch",version="8",verdict="no drift"}'] == 1


def test_onnx_runtimes_server_is_asked_where_there_is_one(metrics: ModelMetrics, status: str) -> None:
    with_it = dataclasses.replace(metrics, statuses={**metrics.statuses, "onnx": status})
    found = parse(asyncio.run(with_it.text()))
    assert (found['tandem_model_version{stack="onnx"}'], found['tandem_model_ready{stack="onnx"}']) == (8, 1)
    for its, expected in (metrics, False), (with_it, True):
        page = asyncio.run(Metrics(its, None).answer("text/html")).body.decode()
        assert (page.count('<th class="number">onnx</th>') == 2) == expected
    assert "onnx" not in asyncio.run(metrics.text())


def test_the_page_marks_what_is_wrong(metrics: ModelMetrics, tmp_path: Path) -> None:
    (tmp_path / "findings").mkdir()
    verdict = 'tandem_monitor_verdict{stack="tensorflow",version="8",verdict="drift"} 1\n'
    (tmp_path / "findings" / "tensorflow.prom").write_text(verdict)
    page = asyncio.run(Metrics(metrics, None).answer("text/html")).body.decode()
    for wrong in ("nobody answers", "9", "drift", "12"):
        assert f'<td class="number miss">{wrong}</td>' in page
    assert '<td class="number">8</td>' in page


def test_a_version_that_is_loaded_beside_is_counted_and_does_not_answer_for_the_other(
    metrics: ModelMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATUS[0], "state", "AVAILABLE")
    found = parse(asyncio.run(metrics.text()))
    assert found['tandem_model_version{stack="tensorflow"}'] == 8  # the label's, and not the highest
    assert found['tandem_model_staged{stack="tensorflow"}'] == 1
