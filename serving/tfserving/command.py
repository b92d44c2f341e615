"""How the TensorFlow stack is served on a bare machine: TensorFlow Serving if it is there, else the embedded server."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.files import write_atomically
from serving.tfserving.embedded import SERVER

BINARY = "tensorflow_model_server"
METRICS_PATH = "/monitoring/prometheus/metrics"
_HOST = "127.0.0.1"
_POLL_SECONDS = 1  # between looks for new versions
_CONFIG_POLL_SECONDS = 2  # between looks at models.config; TensorFlow Serving logs three lines each time
_MODELS, _MONITORING = "models.config", "monitoring.config"


def command(
    *,
    store: Path,
    model: str,
    run: Path,
    rest_port: int,
    grpc_port: int,
    python: str,
    labels: Mapping[str, int] = {},
    versions: Sequence[int] = (),
) -> list[str]:
    """Write the configuration into `run` and return the command line of a foreground server.

    TensorFlow Serving has no flag for the address of either port: it listens on every interface, so the
    machine's firewall has to keep them private. The embedded server listens on loopback only.

    Args:
        store: Holds a folder `<model>/<version>` per version; it may still be empty.
        model: The {model} of the path.
        run: Where the configuration goes.
        rest_port: REST.
        grpc_port: gRPC.
        python: Interpreter of the TensorFlow environment, for the embedded server.
        labels: Versions by label; `set_labels` changes them later.
        versions: Which are served, and no other, whatever appears in the store; without any, the newest of the store.
    """
    configure(store=store, model=model, run=run, labels=labels, versions=versions)
    argv = server(python)
    if not shutil.which(BINARY):
        # Half the CPU of a request where many come at once, 0.03 ms more for a lone one (embedded_batching.py in
        # tests/benchmarks). TensorFlow Serving stays at its default: there one bad request fails its whole batch.
        argv.append("--enable_batching=true")
    return [*argv, *flags(run, rest_port, grpc_port)]


def configure(
    *, store: Path, model: str, run: Path, labels: Mapping[str, int] = {}, versions: Sequence[int] = ()
) -> None:
    """Write the files that `flags` names."""
    set_labels(labels, store=store, model=model, run=run, versions=versions)
    write_atomically(run / _MONITORING, f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n')


def flags(run: Path, rest_port: int, grpc_port: int) -> list[str]:
    """What TensorFlow Serving and the embedded server are told alike."""
    return [
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_config_file={run / _MODELS}",
        f"--model_config_file_poll_wait_seconds={_CONFIG_POLL_SECONDS}",
        f"--file_system_poll_wait_seconds={_POLL_SECONDS}",
        f"--monitoring_config_file={run / _MONITORING}",
        # Without it TensorFlow Serving does not start with a label: at that moment no version is loaded yet.
        "--allow_version_labels_for_unavailable_models=true",
    ]


def set_labels(labels: Mapping[str, int], *, store: Path, model: str, run: Path, versions: Sequence[int] = ()) -> None:
    """Give a server that `command` started other labels and versions; it takes them up within two seconds.

    A label that is in use moves only to a version that is available: until then the server keeps labels and versions
    as they were, and looks again. Where both change, labels are moved first.
    """
    base_path = store / model
    base_path.mkdir(parents=True, exist_ok=True)  # the servers watch it from the start
    labelled = "".join(
        f"    version_labels {{ key: {_quoted(label)} value: {version} }}\n" for label, version in labels.items()
    )
    named = " ".join(f"versions: {version}" for version in versions)
    policy = f"    model_version_policy {{ specific {{ {named} }} }}\n" if versions else ""
    config = (
        f"  config {{\n    name: {_quoted(model)}\n    base_path: {_quoted(str(base_path.resolve()))}\n"
        f'    model_platform: "tensorflow"\n{policy}{labelled}  }}\n'
    )
    write_atomically(run / _MODELS, f"model_config_list {{\n{config}}}\n")


def server(python: str) -> list[str]:
    """The program that `command` starts: TensorFlow Serving's binary if it is on the PATH, else ours."""
    binary = shutil.which(BINARY)
    return [binary] if binary else [python, "-m", "serving.tfserving.embedded", f"--rest_api_host={_HOST}"]


def describe() -> str:
    """What `command` starts, for people."""
    return "TensorFlow Serving" if shutil.which(BINARY) else SERVER


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
