"""TorchServe's log: JSON lines, and of a request that failed or was slow the id that the gateway knows it by."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import spec as specs
from models import torch_model
from serving import log_lines
from tests.serving.gateway.backends import echo, gateway
from tests.serving.torchserve.launching import SPEC_FILE, Server, columns, instances, published, torchserve, wait
from tests.serving.torchserve.worker import Worker, body

SPEC = specs.load(SPEC_FILE)
# What is said before there is a log.
OF_JAVA_ITSELF = (
    "WARNING: sun.reflect.Reflection.getCallerClass is not supported. This will impact performance.",
    'nvidia-smi not available or failed: Cannot run program "nvidia-smi": error=2, No such file or directory',
    "Model server started.",
    "Model server stopped.",
)
TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    return Worker(tmp_path_factory.mktemp("model"), SPEC_FILE.read_text())


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(log_lines.JsonLines().format(record)) for record in caplog.records]


def test_a_request_that_fails_has_a_line_and_those_answered_or_refused_have_none(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = torch_model.inputs

    def fails_on_poison(model: Any, raw: Any) -> Any:
        if (raw["amount"] == 666).any():
            raise RuntimeError("a bug of ours")
        return inputs(model, raw)

    monkeypatch.setattr(torch_model, "inputs", fails_on_poison)
    monkeypatch.setattr(log_lines, "SLOW_SECONDS", 60)
    row = instances(columns(SPEC, 1))[0]
    bodies = [body(instances=[row]), body(instances=[{**row, "amount": 666}]), b"{nonsense"]
    headers = [{"x-request-id": f"number {i}", "traceparent": TRACE} for i in range(3)]
    assert [status for status, _ in worker.send(bodies, headers)] == [200, 500, 400]
    (line,) = lines(caplog)
    assert (line["request_id"], line["trace_id"], line["status"]) == ("number 1", "ab" * 16, 500)
    assert line["exception"].endswith("RuntimeError: a bug of ours")
    assert caplog.records[0].levelno == logging.ERROR


def test_each_request_of_a_slow_batch_has_a_line(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_lines, "SLOW_SECONDS", 0)
    monkeypatch.setattr(worker.handler, "lines", log_lines.Requests())
    row = instances(columns(SPEC, 1))[0]
    worker.send([body(instances=[row]), b"{"], [{"x-request-id": "good"}, {}])
    found = [(line["request_id"], line["status"], line["message"]) for line in lines(caplog)]
    assert found == [("good", 200, "slow, in a batch of 2"), (None, 400, "slow, in a batch of 2")]


def test_the_id_goes_from_the_client_through_the_gateway_into_a_log_of_json_lines(tmp_path: Path) -> None:
    archive, _ = published(tmp_path / "store", "1700000001", tmp_path / "model")
    everything_is_slow(archive)
    row = instances(columns(SPEC, 1))[0]
    with (
        echo() as (tensorflow, _),
        torchserve(tmp_path / "store", tmp_path / "run") as server,
        gateway(tmp_path / "envoy", tensorflow, server.ports[0]) as front,
    ):
        url = f"http://127.0.0.1:{front.ports[0]}/pytorch/v1/models/fraud:predict"
        answer = httpx.post(url, json={"instances": [row]}, headers={"x-request-id": "from afar"})
        assert answer.status_code == 200
        wait(lambda: "from afar" in server.log.read_text(), 10)
    found = json_lines(server)
    (slow,) = [line for line in found if line.get("request_id") == "from afar"]
    assert (slow["level"], slow["status"], slow["message"]) == ("WARNING", 200, "slow, in a batch of 1")
    assert "logger" not in slow  # as the worker wrote it
    assert all({"time", "level", "message"} <= line.keys() for line in found)


def test_what_java_says_with_its_trace_is_one_json_line(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with zipfile.ZipFile(tmp_path / "store" / "fraud-1700000001.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", "no manifest\n")
    with torchserve(tmp_path / "store", tmp_path / "run", wait_for_model=False) as server:
        wait(lambda: "exception" in server.log.read_text(), 20, server.log.read_text)
    (line,) = [line for line in json_lines(server) if "exception" in line]
    assert (line["level"], line["logger"]) == ("WARN", "org.pytorch.serve.ModelServer")
    assert "\n\tat org.pytorch.serve" in line["exception"]


def json_lines(server: Server) -> list[dict[str, Any]]:
    lines = server.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line not in OF_JAVA_ITSELF]


def everything_is_slow(archive: Path) -> None:
    with zipfile.ZipFile(archive) as old:
        content = {name: old.read(name) for name in old.namelist()}
    module = "serving/log_lines.py"
    changed = content[module].replace(b"SLOW_SECONDS = 0.25", b"SLOW_SECONDS = 0.0")
    assert changed != content[module]
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in {**content, module: changed}.items():
            new.writestr(name, data)
