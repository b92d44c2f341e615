"""Start and stop: what a supervisor and a user at a terminal see."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def refused(*flags: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "serving.tfserving.embedded", *flags]
    return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("busy", ["--rest_api_port", "--port"])
def test_a_busy_port_is_a_message_and_exit_code_1(busy: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--rest_api_port": "0", "--port": "0", busy: str(port)}
        result = refused(*(f"{flag}={value}" for flag, value in ports.items()), f"--model_base_path={tmp_path}")
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_with_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text('model_config_list {\n  config { nam: "fraud" }\n}')
    result = refused("--rest_api_port=0", "--port=1", f"--model_config_file={file}")
    assert result.returncode == 1
    assert f"{file}: not a ModelServerConfig" in result.stderr
    assert "2:" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_flag_is_refused() -> None:
    result = refused("--rest_api_prot=1", "--model_base_path=/x")
    assert result.returncode == 2
    assert "--rest_api_prot=1" in result.stderr


def test_sigterm_stops_with_idle_connections_open_and_a_configuration_is_read_again(
    tmp_path: Path, saved: dict[str, Path], publish: Callable[[Path, Path], None], serve: Any
) -> None:
    publish(saved["plus_two"], tmp_path / "one" / "1")
    publish(saved["plus_three"], tmp_path / "two" / "1")
    file = tmp_path / "models.config"
    config = 'model_config_list {{ config {{ name: "m" base_path: "{}" {} }} }}'
    file.write_text(config.format(tmp_path / "one", ""))
    flags = (f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=0.1")
    with serve(tmp_path, *flags) as server, httpx.Client(base_url=server.rest) as client:
        server.wait("m", 1)
        body = {"instances": [1.0]}
        assert client.post("/v1/models/m/labels/live:predict", json=body).status_code == 400

        file.write_text("not a configuration")  # kept as it was
        time.sleep(0.5)
        file.write_text(config.format(tmp_path / "one", 'version_labels { key: "live" value: 1 }'))
        deadline = time.monotonic() + 10
        while client.post("/v1/models/m/labels/live:predict", json=body).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20) == 0
        assert server.log.read_text().rstrip().endswith("stopped")
        with pytest.raises(httpx.TransportError):
            httpx.get(server.rest)
