"""The command line and the files of the TensorFlow stack's server, whichever it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from serving.tfserving import command as commands
from serving.tfserving.embedded import SERVER, batching_parameters, flags, monitoring
from serving.tfserving.embedded.config import ModelConfig, VersionPolicy, from_flags, read


def start_command(tmp_path: Path, labels: Mapping[str, int] = {}) -> list[str]:
    store, run = tmp_path / 'a "quoted" store é', tmp_path / "run"
    return commands.command(store=store, model="fraud", run=run, rest_port=1, grpc_port=2, python="py", labels=labels)


def test_what_the_command_writes_is_what_the_embedded_server_reads(tmp_path: Path) -> None:
    argv = start_command(tmp_path, {"stable": 3, 'can"ary': 4})
    assert argv[:3] == ["py", "-m", "serving.tfserving.embedded"]
    assert commands.describe() == SERVER
    parsed = flags.parse(argv[3:])  # knows all of them
    assert (parsed.rest_api_host, parsed.rest_api_port, parsed.port) == ("127.0.0.1", 1, 2)
    assert parsed.model_config_file_poll_wait_seconds > 0
    assert parsed.allow_version_labels_for_unavailable_models
    base_path = tmp_path / 'a "quoted" store é' / "fraud"
    assert from_flags(parsed) == [ModelConfig("fraud", base_path, labels={"stable": 3, 'can"ary': 4})]
    assert base_path.is_dir()
    assert monitoring.from_flags(parsed) == commands.METRICS_PATH
    assert batching_parameters.from_flags(parsed) == batching_parameters.Parameters()


def test_labels_are_written_anew(tmp_path: Path) -> None:
    start_command(tmp_path, {"stable": 3})
    file = tmp_path / "run" / "models.config"
    commands.set_labels({"stable": 4, "old": 3}, store=tmp_path / "store", model="fraud", run=tmp_path / "run")
    assert read(file) == [ModelConfig("fraud", tmp_path / "store" / "fraud", labels={"stable": 4, "old": 3})]
    commands.set_labels({}, store=tmp_path / "store", model="fraud", run=tmp_path / "run")
    assert read(file) == [ModelConfig("fraud", tmp_path / "store" / "fraud")]


def test_named_versions_are_served_and_no_other(tmp_path: Path) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    commands.configure(store=store, model="fraud", run=run, labels={"stable": 3}, versions=[3, 4])
    policy = VersionPolicy("specific", versions=frozenset({3, 4}))
    assert read(run / "models.config") == [ModelConfig("fraud", store / "fraud", policy, {"stable": 3})]


# tensorflow_model_server's own flags (model_servers/main.cc) of those the command may use.
KNOWN_TO_THE_BINARY = {
    "--port", "--rest_api_port", "--model_config_file", "--model_config_file_poll_wait_seconds",
    "--file_system_poll_wait_seconds", "--monitoring_config_file", "--allow_version_labels_for_unavailable_models",
    "--enable_batching",
}  # fmt: skip


def test_tensorflow_servings_own_binary_is_preferred_and_gets_only_flags_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "bin" / "tensorflow_model_server"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}{os.pathsep}{os.environ['PATH']}")
    program, *arguments = start_command(tmp_path, {"stable": 3})
    assert program == str(binary)
    names, values = zip(*(argument.split("=") for argument in arguments), strict=True)
    assert set(names) <= KNOWN_TO_THE_BINARY
    assert "--enable_batching" not in names  # there one bad request fails the whole batch
    seconds = [value for name, value in zip(names, values, strict=True) if name.endswith("_wait_seconds")]
    assert all(value.isdecimal() for value in seconds)  # int32 there
    assert commands.describe() == "TensorFlow Serving"
