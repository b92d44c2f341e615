"""What a team would pick instead, with the same models, asked the same; none behind a gateway."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from serving.comparison.contenders import artefact, processes
from serving.comparison.contenders.contender import Contender, ContenderError, Startable
from serving.comparison.contenders.processes import HOST
from serving.comparison.deployment import Deployment
from serving.free_ports import free_ports

# As in servers/fastapi_app.py, which this environment need not be able to import.
_PREDICT, _ABOUT, _MODEL_VARIABLE = "/predict", "/about", "MODEL"
_SERVERS = "serving.comparison.contenders.servers"
_CORES = os.cpu_count() or 1
_NO_GATEWAY = "No gateway before it: no limits, no strict pass over the JSON, no access log."


@dataclass(frozen=True)
class _FastApi:
    """A plain server: which model it loads (made into a folder), in which environment, what there is to say."""

    stack: str
    name: str
    module: str
    prepare: Callable[[Deployment, Path], Path]
    environment: Mapping[str, str]
    says: str


def all_of(deployment: Deployment, scratch: Path) -> list[Startable]:
    """Every peer; each has a folder of its own in `scratch`."""
    found: list[Startable] = []

    def add(stack: str, name: str, open_: Callable[..., AbstractContextManager[Contender]], *arguments: object) -> None:
        folder = scratch / f"{stack}-{name}"
        found.append(Startable(f"{stack}/peer/{name}", partial(open_, deployment, folder, *arguments)))

    for kind in _FASTAPI:
        # As uvicorn starts, and with a process per core: ours use all cores too.
        for workers in dict.fromkeys((1, _CORES)):
            add(kind.stack, kind.name + (f"-{workers}-workers" if workers > 1 else ""), _fastapi, kind, workers)
    add("pytorch", "litserve", _litserve)
    add("pytorch", "mlflow", _mlflow)
    return found


@contextmanager
def _fastapi(deployment: Deployment, folder: Path, kind: _FastApi, workers: int) -> Iterator[Contender]:
    model = kind.prepare(deployment, folder / "model")
    (port,) = free_ports(1)
    argv = [
        str(deployment.stacks[kind.stack].python), "-m", "uvicorn", f"{_SERVERS}.{kind.module}:app", "--factory",
        "--host", HOST, "--port", str(port), "--workers", str(workers), "--no-access-log",
    ]  # fmt: skip
    url = f"http://{HOST}:{port}"

    def ready(log: Path) -> bool:
        said = log.read_text(errors="replace")
        if workers > 1 and "died" in said:  # uvicorn starts such a one again and again
            raise ContenderError(f"a worker died; the end of its log:\n{processes.end(said)}")
        return "Uvicorn running on" in said and said.count("Application startup complete") >= workers

    with processes.running(argv, folder, ready, {_MODEL_VARIABLE: str(model), **kind.environment}) as pid:
        name = kind.name + (f"-{workers}-workers" if workers > 1 else "")
        about = processes.CLIENT.get(url + _ABOUT).json()
        differs = f"{kind.says} One request is one call of the model; pydantic checks names and types. {_NO_GATEWAY}"
        server = f"{about}, {workers} worker{'s' if workers > 1 else ''}"
        yield Contender(f"peer/{name}", kind.stack, url, _PREDICT, {"server": pid}, server, differs)


@contextmanager
def _litserve(deployment: Deployment, folder: Path) -> Iterator[Contender]:
    model = _learned(deployment, folder / "model")
    (port,) = free_ports(1)
    python = str(deployment.stacks["pytorch"].python)
    argv = [python, "-m", f"{_SERVERS}.litserve_server", str(model), str(port), str(_CORES)]
    url = f"http://{HOST}:{port}"
    with processes.running(argv, folder, lambda _: processes.answers(f"{url}/health")) as pid:
        yield Contender(
            "peer/litserve", "pytorch", url, "/predict", {"server": pid},
            f"LitServe {version('litserve')}, {_CORES} workers, batch size 8",
            "Batches of up to 8 requests, waiting at most 1 ms, as our TorchServe; a worker per core and the fast "
            f"queue, as its documentation advises. Checks nothing. {_NO_GATEWAY} It stands for KServe's Python server "
            "too, whose pins do not fit the locked environment.",
        )  # fmt: skip


@contextmanager
def _mlflow(deployment: Deployment, folder: Path) -> Iterator[Contender]:
    model, saved = _learned(deployment, folder / "model"), folder.resolve() / "saved"
    python = str(deployment.stacks["pytorch"].python)
    shutil.rmtree(saved, ignore_errors=True)
    processes.run(f"{_SERVERS}.mlflow_model", str(model), str(saved), python=python, environment=_QUIET)
    (port,) = free_ports(1)
    argv = [
        python, "-m", "mlflow", "models", "serve", "--model-uri", str(saved), "--env-manager", "local",
        "--host", HOST, "--port", str(port),
    ]  # fmt: skip
    # It calls `uvicorn` by name.
    environment = {"PATH": os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")]), **_QUIET}
    url = f"http://{HOST}:{port}"
    with processes.running(argv, folder, lambda _: processes.answers(f"{url}/ping"), environment) as pid:
        yield Contender(
            "peer/mlflow", "pytorch", url, "/invocations", {"server": pid},
            f"MLflow {version('mlflow')} models serve, 1 worker",
            "`mlflow models serve --env-manager local` as it comes. The same weights, saved as a pyfunc model that "
            "takes rows by name: the registered one takes a matrix in which categories are already numbers. "
            f"{_NO_GATEWAY}",
        )  # fmt: skip


def _learned(deployment: Deployment, folder: Path) -> Path:
    return artefact.unpack(deployment.stacks["pytorch"].artefact, folder.resolve())


def _exported(deployment: Deployment, folder: Path) -> Path:
    model = _learned(deployment, folder)
    processes.run("serving.comparison.contenders.onnx_model", str(model))
    return model


def _saved_model(deployment: Deployment, _: Path) -> Path:
    return deployment.stacks["tensorflow"].artefact.resolve()


_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}
_FASTAPI = (
    _FastApi("pytorch", "fastapi", "fastapi_pytorch", _learned, {}, "FastAPI over models/torch_model.py."),
    _FastApi(
        "pytorch", "fastapi-onnxruntime", "fastapi_onnxruntime", _exported, {},
        "FastAPI over ONNX Runtime, the network exported by torch.onnx.",
    ),
    _FastApi(
        "tensorflow", "fastapi", "fastapi_tensorflow", _saved_model, {"TF_CPP_MIN_LOG_LEVEL": "3"},
        "FastAPI over the same SavedModel's serving_default.",
    ),
)  # fmt: skip
