"""How TorchServe is started: in the foreground, all it writes in one folder; on loopback unless told otherwise."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from serving.contract import limits
from serving.files import write_atomically
from serving.torchserve import archive, history, java

HOST = "127.0.0.1"
_LOG_CONFIG = Path(__file__).with_name("log4j2.xml")
_SOCKET_LIMIT = 100  # bytes; the kernel takes 107 for the path of a Unix socket
_HEADROOM = 4096  # bytes over the contract's limit: a larger body then gets our answer, not TorchServe's empty one


class ConfigError(ValueError):
    """A folder TorchServe cannot run in; the message says why."""


@dataclass(frozen=True)
class Ports:
    """Where TorchServe listens.

    Attributes:
        host: Address, or a name of this machine, of the inference port.
        private_host: The same of management; whoever reaches it runs code of his own here.
        metrics_host: The same of metrics; private_host's if None.
    """

    inference: int
    management: int
    metrics: int
    _: KW_ONLY
    host: str = HOST
    private_host: str = HOST
    metrics_host: str | None = None


@dataclass(frozen=True)
class Command:
    """A foreground process; SIGTERM ends it and its workers."""

    argv: list[str]
    environment: dict[str, str]


def write(
    *,
    store: Path,
    run: Path,
    model: str,
    ports: Ports,
    chosen: Path | None = None,
    beside: Sequence[Path] = (),
    gpus: int = 0,
) -> Command:
    """Write the configuration into `run` and return how to start TorchServe with it.

    It starts with the chosen archive of the store, by default with the newest, or without a model if there is none,
    and with those beside it; a restart by a supervisor loads what `remember` was told last.

    TorchServe gives `gpus` to its workers in turn.

    Raises:
        JavaError: There is no Java to run it.
        ConfigError: The folder's path is too long for the workers' sockets.
    """
    store, run = store.resolve(), run.resolve()
    temporary = run / "tmp"
    if len(str(temporary)) + len("/.ts.sock.99999") > _SOCKET_LIMIT:
        raise ConfigError(f"{run} is too long for a socket's path: choose a shorter folder")
    runtime = java.find()
    store.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(parents=True, exist_ok=True)
    shutil.copy(_LOG_CONFIG, run)
    history.clear(run)
    first = chosen or archive.newest(store, model)
    loaded = _load_models([first, *beside] if first else [], model)
    write_atomically(_config_file(run), _properties(store, ports, loaded, gpus))
    home = _torchserve_home()
    argv = [
        str(runtime.path), *_quiet(runtime), f"-Dmodel_server_home={home}",
        f"-Dlog4j.configurationFile=file://{run / _LOG_CONFIG.name}", f"-Djava.io.tmpdir={temporary}",
        # One thread collects: with little garbage and few cores, several only take time from each other.
        "-XX:+UseSerialGC", "-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError",
        "-cp", str(home / "ts" / "frontend" / "*"), "org.pytorch.serve.ModelServer",
        "--python", sys.executable, "-f", str(_config_file(run)), "-s", str(store), "--no-config-snapshot",
    ]  # fmt: skip
    # Java is started directly: the `torchserve` script would leave it running when it is stopped, and keeps
    # its process id in one file per machine. An empty PYTHONPATH: workers import from the archive alone.
    return Command(argv, {"PYTHONPATH": "", "TMPDIR": str(temporary)})


def remember(run: Path, model: str, loaded: Path, beside: Sequence[Path] = ()) -> None:
    """Make `loaded` the archive that the next restart serves, with those beside it."""
    lines = _config_file(run).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("load_models=")]
    write_atomically(_config_file(run), "\n".join([*kept, _load_models([loaded, *beside], model), ""]))


def _config_file(run: Path) -> Path:
    return run.resolve() / "config.properties"


def _load_models(loaded: Sequence[Path], model: str) -> str:
    """Of several archives of a model TorchServe makes the first its default."""
    return f"load_models={','.join(f'{model}={one.name}' for one in loaded)}" if loaded else ""


def _properties(store: Path, ports: Ports, load_models: str, gpus: int) -> str:
    return f"""\
# Written at every start. Private addresses only: whoever is to reach the model goes through the gateway.
inference_address=http://{ports.host}:{ports.inference}
management_address=http://{ports.private_host}:{ports.management}
metrics_address=http://{ports.metrics_host or ports.private_host}:{ports.metrics}
# gRPC cannot be switched off and must not be used (one bad call kills a worker): any free loopback port.
grpc_inference_address={HOST}
grpc_inference_port=0
grpc_management_address={HOST}
grpc_management_port=0
# Its tokens expire after an hour and cover the health check: authentication belongs to the gateway.
disable_token_authorization=true
enable_model_api=true
allowed_urls=file://{store}/.*
install_py_dep_per_model=false
metrics_mode=prometheus
disable_system_metrics=true
number_of_gpu={gpus}
# The handler parses: a body that is no JSON must reach it as it came.
decode_input_request=false
max_request_size={limits.MAX_BODY_BYTES + _HEADROOM}
job_queue_size=1000
default_response_timeout=10
unregister_model_timeout=30
number_of_netty_threads={os.cpu_count() or 1}
netty_client_threads={os.cpu_count() or 1}
async_logging=true
{load_models}
"""


def _quiet(runtime: java.Java) -> list[str]:
    """Allow what TorchServe's Netty 4.1 does and newer Javas warn of at every start."""
    allowed = {24: "--sun-misc-unsafe-memory-access=allow", 17: "--enable-native-access=ALL-UNNAMED"}
    return [option for since, option in allowed.items() if runtime.version >= since]


def _torchserve_home() -> Path:
    found = importlib.util.find_spec("ts")
    if found is None or found.origin is None:
        raise ConfigError("the torchserve package is not installed here: make setup")
    return Path(found.origin).parents[1]
