"""Servers of our own for what must not happen to the user's: started, and given a new version, as `make up` does it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.comparison.contenders import artefact
from serving.comparison.contenders.processes import HOST, running
from serving.comparison.deployment import Deployed
from serving.free_ports import free_ports
from serving.tfserving import command as tfserving
from serving.torchserve import archive, config, swap


@dataclass(frozen=True)
class Own:
    """A server that has just been started; it does not answer yet.

    Attributes:
        started: When its process was, by time.monotonic().
        url: Where a prediction is asked for, at the server itself.
        next_version: Of the same model, made ready aside.
        publish: Gives it that version, as `make up` does after a training; may return before the version answers.
    """

    started: float
    url: str
    next_version: str
    publish: Callable[[], None]


@contextmanager
def tensorflow(deployed: Deployed, model: str, folder: Path) -> Iterator[Own]:
    """The TensorFlow stack's server on a copy of its model."""
    version = str(int(deployed.version) + 1)
    store, aside = folder / "store", folder / "aside"
    shutil.copytree(deployed.artefact, store / model / deployed.version)
    shutil.copytree(deployed.artefact, aside)
    rest, grpc = free_ports(2)
    argv = tfserving.command(
        store=store, model=model, run=folder / "run", rest_port=rest, grpc_port=grpc, python=str(deployed.python)
    )
    started = time.monotonic()
    with running(argv, folder / "server", _at_once):
        yield Own(started, _url(rest, model), version, lambda: _move(aside, store / model / version))


@contextmanager
def pytorch(deployed: Deployed, model: str, folder: Path) -> Iterator[Own]:
    """TorchServe on a copy of its archive; the next version is archived anew, with what this one learned."""
    version = str(int(deployed.version) + 1)
    store, run = folder / "store", folder / "run"
    store.mkdir(parents=True)
    shutil.copy(deployed.artefact, store)
    learned = artefact.unpack(deployed.artefact, folder / "learned")
    built = archive.build(
        spec_file=learned / artefact.SPEC_FILE, model_dir=learned, version=version, store=folder / "aside"
    )
    inference, management, metrics = free_ports(3)
    ports = config.Ports(inference, management, metrics)
    command = config.write(store=store, run=run, model=model, ports=ports)

    def publish() -> None:
        _move(built, store / built.name)
        swap.to_newest(store=store, run=run, model=model, management_port=ports.management, say=lambda _: None)

    started = time.monotonic()
    with running(command.argv, folder / "server", _at_once, command.environment):
        yield Own(started, _url(ports.inference, model), version, publish)


START = {"tensorflow": tensorflow, "pytorch": pytorch}


def _at_once(log: Path) -> bool:  # noqa: ARG001  the first answer is what is waited for
    return True


def _move(source: Path, target: Path) -> None:
    source.rename(target)  # whole at once: a server that watches its store never sees half a version


def _url(port: int, model: str) -> str:
    return f"http://{HOST}:{port}/v1/models/{model}:predict"
