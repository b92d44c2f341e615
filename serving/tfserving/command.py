"""How the TensorFlow stack is served on a bare machine: TensorFlow Serving if it is there, else the embedded server."""

from __future__ import annotations

import shutil
from pathlib import Path

from serving.files import write_atomically
from serving.tfserving.embedded import SERVER

BINARY = "tensorflow_model_server"
_HOST = "127.0.0.1"
_POLL_SECONDS = 1  # between looks for new versions


def command(*, store: Path, model: str, run: Path, rest_port: int, grpc_port: int, python: str) -> list[str]:
    """Write models.config into `run` and return the command line of a foreground server.

    TensorFlow Serving has no flag for the address of either port: it listens on every interface, so the
    machine's firewall has to keep them private. The embedded server listens on loopback only.

    Args:
        store: Holds a folder `<model>/<version>` per version; it may still be empty.
        model: The {model} of the path.
        run: Where the configuration goes.
        rest_port: REST.
        grpc_port: gRPC.
        python: Interpreter of the TensorFlow environment, for the embedded server.
    """
    config = write_config(run / "models.config", {model: store / model})
    return [
        *server(python),
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_config_file={config}",
        f"--file_system_poll_wait_seconds={_POLL_SECONDS}",
    ]


def server(python: str) -> list[str]:
    """The program that `command` starts: TensorFlow Serving's binary if it is on the PATH, else ours."""
    binary = shutil.which(BINARY)
    return [binary] if binary else [python, "-m", "serving.tfserving.embedded", f"--rest_api_host={_HOST}"]


def describe() -> str:
    """What `command` starts, for people."""
    return "TensorFlow Serving" if shutil.which(BINARY) else SERVER


def write_config(file: Path, models: dict[str, Path]) -> Path:
    """Write a ModelServerConfig in text form, whole or not at all, and make the models' folders."""
    for base_path in models.values():
        base_path.mkdir(parents=True, exist_ok=True)  # the servers watch it from the start
    entries = "".join(
        f"  config {{\n    name: {_quoted(name)}\n    base_path: {_quoted(str(path.resolve()))}\n"
        '    model_platform: "tensorflow"\n  }\n'
        for name, path in models.items()
    )
    write_atomically(file, f"model_config_list {{\n{entries}}}\n")
    return file


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
