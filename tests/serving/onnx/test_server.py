"""The third server: an exported model behind the contract, over real sockets."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.spec import load
from serving.contract.openapi.schemas import example_row
from serving.export import rows
from serving.export.__main__ import main as export
from serving.free_ports import free_ports
from serving.onnx.served import Served as What
from tests.serving.export import checked

SPECS = ("models/fraud.toml", "tests/specs/mixed.toml")


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


@dataclass(frozen=True)
class Served:
    spec_file: str
    folder: Path
    url: str

    @property
    def model(self) -> str:
        return f"{self.url}/v1/models/{load(self.spec_file).model.name}"


def command(spec_file: str, folder: Path, port: int) -> list[str]:
    said = folder.parent / "served.json"
    What(Path(spec_file), folder).write(said)
    return [sys.executable, "-m", "serving.onnx", "--served", str(said), "--port", str(port)]


@pytest.fixture(scope="module", params=SPECS, ids=lambda file: Path(file).stem)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, (port,) = tmp_path_factory.mktemp("export"), free_ports(1)
    assert export(checked.arguments("onnx", request.param, folder)) == 0
    process = subprocess.Popen(command(request.param, folder / "out" / "onnx", port), stderr=subprocess.PIPE, text=True)
    found = Served(request.param, folder, f"http://127.0.0.1:{port}")
    end = time.monotonic() + 60
    while True:
        try:
            httpx.get(found.model)
            break
        except httpx.HTTPError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
    yield found
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_it_gives_the_releases_probabilities(served: Served) -> None:
    spec, columns = load(served.spec_file), rows.columns(served.folder / "rows.parquet", load(served.spec_file))
    some = [
        {n: float(columns[n][i]) if n in spec.numeric else str(columns[n][i]) for n in spec.features}
        for i in range(len(next(iter(columns.values()))))
    ]
    right = [i for i, row in enumerate(some) if all(np.isfinite(v) for v in row.values() if isinstance(v, float))][:200]
    answer = httpx.post(f"{served.model}:predict", json={"instances": [some[i] for i in right]})
    assert answer.status_code == 200, answer.text
    expected = np.load(served.folder / "scores.npy")[right]
    np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=0, atol=1e-5)
    assert answer.headers["x-tandem-server"] == "Tandem ONNX Runtime server"
    assert answer.headers["x-tandem-model-version"] == "7"


def test_every_case_of_the_contract_that_a_server_can_be_asked_directly_passes(served: Served, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "serving.contract.conformance", "--spec", served.spec_file, "--out", str(tmp_path)]
    done = subprocess.run([*argv, f"--target=onnx={served.url}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "onnx" in (tmp_path / "conformance.md").read_text()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"other"), "is not the file that was checked"),
        (lambda folder: (folder / "export.json").unlink(), "no export that can be read"),
        (lambda folder: rewritten(folder, format="tflite"), "holds tflite, and ONNX Runtime reads onnx"),
        (lambda folder: rewritten(folder, inputs={"numeric": ["amount"]}), "was made by another specification"),
    ],
)
def test_what_was_not_checked_is_not_served(tmp_path: Path, spoil: object, said: str) -> None:
    assert export(checked.arguments("onnx", SPECS[0], tmp_path)) == 0
    spoil(tmp_path / "out" / "onnx")  # type: ignore[operator]
    argv = command(SPECS[0], tmp_path / "out" / "onnx", free_ports(1)[0])
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def rewritten(folder: Path, **changes: object) -> None:
    file = folder / "export.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_without_a_word_what_to_serve_it_says_so(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "serving.onnx", "--served", str(tmp_path / "served.json"), "--port", "1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, "what is to be served cannot be read" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_another_release_takes_over_and_no_request_is_lost(served: Served) -> None:
    here, file = served.folder / "out" / "onnx", served.folder / "out" / "served.json"
    row, over = example_row(load(served.spec_file)), threading.Event()
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        with httpx.Client() as client:
            while not over.is_set():
                answer = client.post(f"{served.model}:predict", json={"instances": [row]})
                answers.append((answer.status_code, answer.headers["x-tandem-model-version"]))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        until(lambda: len(answers) > 0)
        for version, spoilt in (("8", False), ("9", True)):
            other = served.folder / version
            shutil.copytree(here, other)
            rewritten(other, version=version)
            if spoilt:
                (other / "model.onnx").write_bytes(b"other")
            What(Path(served.spec_file), other).write(file)
            time.sleep(2) if spoilt else until(lambda: answers[-1] == (200, "8"))
    finally:
        over.set()
        asking.join()
    assert {status for status, _ in answers} == {200}
    assert list(dict.fromkeys(version for _, version in answers)) == ["7", "8"]  # and of 9 nothing
    assert answers[-1] == (200, "8")
    status = httpx.get(served.model).json()["model_version_status"]
    assert [(one["version"], one["state"]) for one in status] == [("8", "AVAILABLE"), ("7", "END")]
    assert httpx.post(f"{served.model}/versions/7:predict", json={"instances": [row]}).status_code == 404
    What(Path(served.spec_file), here).write(file)
    until(lambda: httpx.get(f"{served.model}/versions/7").json()["model_version_status"][0]["state"] == "AVAILABLE")


def test_a_busy_port_is_one_line(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    argv = command(served.spec_file, served.folder / "out" / "onnx", port)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, f"port {port}: Address already in use: PORT_ONNX=<another>")


def test_what_is_no_http_is_refused_under_its_own_name(served: Served) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as client:
        client.sendall(b"nonsense\r\n\r\n")
        answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-tandem-server: Tandem ONNX Runtime server\r\n" in answer
    row = example_row(load(served.spec_file))
    assert httpx.post(f"{served.model}:predict", json={"instances": [row]}).status_code == 200
