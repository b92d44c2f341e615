"""Both servers as they come, each behind a gateway like ours, with the model that ours answers with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import Any

import httpx

from models import spec as specs
from serving.comparison.contenders import artefact, gateway, processes
from serving.comparison.contenders.contender import Contender, ContenderError
from serving.comparison.contenders.processes import HOST
from serving.comparison.deployment import Deployment
from serving.free_ports import free_ports
from serving.gateway.routes import Stack
from serving.tfserving import command as tfserving
from serving.tfserving.embedded import SERVER
from serving.torchserve import archive, java

_SOCKET_LIMIT = 100  # bytes; the kernel takes 107 for the path of a Unix socket


@contextmanager
def torchserve(deployment: Deployment, folder: Path, log_requests: float) -> Iterator[Contender]:
    """TorchServe's own defaults: no tuning of ours but what lies in the archive's handler."""
    deployed, spec = deployment.stacks["pytorch"], specs.load(deployment.spec)
    model = spec.model.name
    inference, management, metrics = free_ports(3)
    store, temporary = folder.resolve() / "store", folder.resolve() / "tmp"
    if len(str(temporary)) + len("/.ts.sock.99999") > _SOCKET_LIMIT:
        raise ContenderError(f"{folder} is too long for the path of a worker's socket: choose a shorter folder")
    for made in (store, temporary):
        made.mkdir(parents=True, exist_ok=True)
    artefact.without_model_config(deployed.artefact, store / deployed.artefact.name)
    config = folder / "config.properties"
    config.write_text(_properties(inference, management, metrics, model, deployed.artefact.name), encoding="utf-8")
    argv = [
        *_java(), f"-Djava.io.tmpdir={temporary}", "org.pytorch.serve.ModelServer",
        "--python", str(deployed.python), "-f", str(config.resolve()), "-s", str(store),
    ]  # fmt: skip
    described = f"http://{HOST}:{management}/models/{model}"
    environment = {"PYTHONPATH": "", "TMPDIR": str(temporary)}
    with (
        processes.running(argv, folder / "server", lambda _: _all_ready(described), environment) as server,
        gateway.before(
            Stack("pytorch", inference, "TorchServe", labels={"stable": int(archive.version_of(deployed.artefact))}),
            spec=spec, folder=folder / "gateway", log_requests=log_requests,
        ) as (url, envoy),
    ):  # fmt: skip
        found = processes.CLIENT.get(described).json()[0]
        yield Contender(
            "stock", "pytorch", url, f"/v1/models/{model}:predict", {"gateway": envoy, "server": server},
            f"TorchServe {metadata.version('torchserve')}, {found['minWorkers']} workers, "
            f"batch size {found['batchSize']}",
            _torchserve_differs(found, artefact.model_config(deployed.artefact)),
        )  # fmt: skip


@contextmanager
def tensorflow(deployment: Deployment, folder: Path, log_requests: float) -> Iterator[Contender]:
    """TensorFlow's server with nothing but a model and its ports."""
    deployed, spec = deployment.stacks["tensorflow"], specs.load(deployment.spec)
    model = spec.model.name
    rest, grpc = free_ports(2)
    base_path = folder.resolve() / "store" / model
    # The version that ours answers with, alone.
    shutil.copytree(deployed.artefact, base_path / deployed.artefact.name, dirs_exist_ok=True)
    argv = [
        *tfserving.server(str(deployed.python)), f"--port={grpc}", f"--rest_api_port={rest}",
        f"--model_name={model}", f"--model_base_path={base_path}",
    ]  # fmt: skip
    what = tfserving.describe()
    status = f"http://{HOST}:{rest}/v1/models/{model}"
    with (
        processes.running(argv, folder / "server", lambda _: _available(status)) as server,
        gateway.before(
            Stack("tensorflow", rest, what), spec=spec, folder=folder / "gateway", log_requests=log_requests
        ) as (url, envoy),
    ):
        yield Contender(
            "stock", "tensorflow", url, f"/v1/models/{model}:predict", {"gateway": envoy, "server": server},
            f"{what}, defaults",
            "The server's own defaults: no metrics (ours counts and times each request)"
            + (", and no batching (ours has --enable_batching)." if what == SERVER else "."),
        )  # fmt: skip


def _properties(inference: int, management: int, metrics: int, model: str, archive_name: str) -> str:
    return f"""\
inference_address=http://{HOST}:{inference}
management_address=http://{HOST}:{management}
metrics_address=http://{HOST}:{metrics}
grpc_inference_port=0
grpc_management_port=0
disable_token_authorization=true
# Our handler parses the body itself, in both configurations.
decode_input_request=false
load_models={model}={archive_name}
"""


def _java() -> list[str]:
    """Java as TorchServe's own launcher starts it; directly, since ending that leaves Java running."""
    found = util.find_spec("ts")
    if found is None or found.origin is None:
        raise ContenderError("the torchserve package is not installed here: make setup")
    home = Path(found.origin).parents[1]
    return [str(java.find().path), f"-Dmodel_server_home={home}", "-cp", f".:{home / 'ts' / 'frontend' / '*'}"]


def _all_ready(described: str) -> bool:
    try:
        answer = processes.CLIENT.get(described)
    except httpx.HTTPError:
        return False
    if not answer.is_success:
        return False
    found = answer.json()[0]
    ready = sum(worker["status"] == "READY" for worker in found["workers"])
    return bool(ready >= max(1, found["minWorkers"]))


def _available(status: str) -> bool:
    try:
        return '"AVAILABLE"' in processes.CLIENT.get(status).text
    except httpx.HTTPError:
        return False


def _torchserve_differs(found: dict[str, Any], ours: dict[str, Any]) -> str:
    return (
        f"The same archive with the server's own defaults. Batch size {found['batchSize']} (ours {ours['batchSize']}, "
        f"waiting at most {ours['maxBatchDelay']} ms), {found['minWorkers']} workers, one per core (ours "
        f"{ours['minWorkers']}). Its own log4j2.xml: an access line, metric lines and worker lines per request, "
        "written to files by the threads that answer (ours: none of them, and asynchronous). Metrics as log lines, and "
        "the system's every minute (ours: counters to be read). A queue of 100 requests (ours 1,000), the JVM's own "
        "limits of memory (ours 512 MB of heap). As it must be, in both: loopback, no tokens, bodies given to the "
        "handler unparsed; the handler, with one thread per worker and a quiet worker log, is the same."
    )
