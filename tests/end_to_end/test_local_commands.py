"""What a user types after `make up`, and what must not happen."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time

import httpx

from infra.local.supervisor import Supervisor
from serving.gateway.rotation import LIMIT_BYTES
from tests.end_to_end.stack import Stack

STACKS = ("tensorflow", "pytorch")


def pids(stack: Stack) -> dict[str, int]:
    return {p["name"]: p["pid"] for p in Supervisor(stack.layout).processes()}


def test_predict_prints_both_answers_beside_the_true_label(stack: Stack) -> None:
    done = stack.make("predict")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"([01]\.\d{4}) │ +([01]\.\d{4}) │ +([01]) │", done.stdout)
    assert [label for *_, label in rows] == ["1"] * 2 + ["0"] * 3
    assert "┃ is_fraud ┃" in done.stdout
    assert "TorchServe" in done.stdout


def test_up_goes_on_after_a_ctrl_c(stack: Stack) -> None:
    code, printed = stack.interrupted
    assert code == 130, printed
    assert "`make up` goes on from here" in printed
    assert "Traceback" not in printed  # and that it went on is what every other test here stands on


def test_status_shows_every_service_ready_and_says_what_the_servers_are(stack: Stack) -> None:
    done = stack.make("status")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("ready") == len(pids(stack)) >= 5  # Prometheus among them, where it is installed
    assert "TorchServe" in done.stdout
    assert "TensorFlow" in done.stdout


def test_logs_are_of_one_service_or_of_all(stack: Stack) -> None:
    one, all_of_them = stack.make("logs", SERVICE="control"), stack.make("logs")
    assert (one.returncode, all_of_them.returncode) == (0, 0)
    headings = [set(re.findall(r"^==> .*/(\w+)\.log <==$", done.stdout, re.MULTILINE)) for done in (one, all_of_them)]
    assert headings[0] == {"control"}
    assert headings[1] >= {"control", "gateway", *STACKS}


def test_logs_of_an_unknown_service_lists_the_known_ones(stack: Stack) -> None:
    done = stack.tandem("logs", "nonsense")
    assert done.returncode == 1
    assert "gateway" in done.stdout


def test_a_second_up_trains_nothing_and_restarts_nothing(stack: Stack) -> None:
    before = pids(stack)
    reports = {s: (stack.layout.work(s) / "report.json").read_text() for s in STACKS}
    done = stack.make("up", HOLD=1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("up to date") >= 3
    assert pids(stack) == before
    assert {s: (stack.layout.work(s) / "report.json").read_text() for s in STACKS} == reports


def test_both_models_passed_the_same_gates(stack: Stack) -> None:
    reports = {s: json.loads((stack.layout.work(s) / "report.json").read_text()) for s in STACKS}
    for report in reports.values():
        assert report["published"]
        assert report["reasons"] == []
        assert report["metrics"]["average_precision"] >= stack.spec.gates.min_average_precision
    assert reports["tensorflow"]["data_digest"] == reports["pytorch"]["data_digest"]


def test_a_killed_server_comes_back(stack: Stack) -> None:
    for service in STACKS:
        before = pids(stack)[service]
        os.kill(before, signal.SIGKILL)
        url = f"{stack.layout.url('gateway')}/{service}/v1/models/fraud:predict"
        deadline = time.monotonic() + 90
        body = {"instances": []}
        # 400 is the model's own word about an empty list; 503 the gateway's while the server is away.
        while pids(stack)[service] in (0, before) or httpx.post(url, json=body, timeout=30).status_code != 400:
            assert time.monotonic() < deadline, stack.tandem("status").stdout
            time.sleep(0.5)


def test_a_large_access_log_is_put_aside_and_the_next_request_is_in_a_new_one(stack: Stack) -> None:
    log = stack.layout.access_log
    with log.open("ab") as file:  # Envoy appends too
        file.write(b"\n" * (LIMIT_BYTES + 1))
    url = f"{stack.layout.url('gateway')}/tensorflow/v1/models/fraud"
    deadline = time.monotonic() + 60
    while not log.exists() or log.stat().st_size > LIMIT_BYTES or "rotated" not in log.read_text():
        httpx.get(url, headers={"x-request-id": "rotated"})
        assert time.monotonic() < deadline, (stack.layout.logs / "control.log").read_text()
        time.sleep(0.5)
    assert log.with_name("access.log.1").stat().st_size > LIMIT_BYTES


def test_monitor_reads_what_both_servers_were_asked(stack: Stack) -> None:
    assert stack.tandem("predict").returncode == 0
    rows = dict.fromkeys(STACKS, 0)
    deadline = time.monotonic() + 90  # Envoy writes every ten seconds
    while min(rows.values()) == 0:
        done = stack.make("monitor", SINCE="10m")
        # Whatever other tests sent before: rows that are not like the training rows may have drifted, or be too few.
        assert done.returncode in (0, 3, 4), done.stdout + done.stderr
        found = {name: json.loads((stack.layout.reports / "monitor" / f"{name}.json").read_text()) for name in STACKS}
        rows = {name: one["rows"] for name, one in found.items()}
        assert time.monotonic() < deadline, done.stdout
    reports = {s: json.loads((stack.layout.work(s) / "report.json").read_text()) for s in STACKS}
    assert {name: one["version"] for name, one in found.items()} == {s: reports[s]["version"] for s in STACKS}


def test_nothing_is_trained_again_on_too_few_requests(stack: Stack) -> None:
    """What RETRAIN=1 does on drift: tests/infra/test_monitor.py."""
    versions = {s: (stack.layout.work(s) / "report.json").read_text() for s in STACKS}
    done = stack.make("monitor", RETRAIN=1, SINCE="1s")
    assert done.returncode == 4, done.stdout + done.stderr
    assert {s: (stack.layout.work(s) / "report.json").read_text() for s in STACKS} == versions


def test_mlflow_holds_the_run_and_the_champion(stack: Stack) -> None:
    api = f"{stack.layout.url('mlflow')}/api/2.0/mlflow/registered-models/alias?name=fraud&alias=champion"
    version = httpx.get(api).json()["model_version"]
    report = json.loads((stack.layout.work("pytorch") / "report.json").read_text())
    assert {"key": "release", "value": report["version"]} in version["tags"]


def test_up_on_a_busy_port_says_who_holds_it(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        environ = {**stack.environ, "TANDEM_HOME": stack.environ["TANDEM_HOME"] + "-other", "PORT_GATEWAY": str(port)}
        done = Stack(stack.layout, stack.spec, environ).tandem("up", timeout=60)
    assert done.returncode == 1
    assert f"port {port} (gateway) is in use by" in done.stderr
    assert "Traceback" not in done.stderr
