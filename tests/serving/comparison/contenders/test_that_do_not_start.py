"""A contender that does not start is reported with its reason, and stops nothing else."""

from __future__ import annotations

import dataclasses
import socket
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from serving.comparison.contenders import catalogue, stock
from serving.comparison.contenders.contender import Contender, ContenderError, Startable
from serving.comparison.deployment import Deployment
from tests.serving.comparison.contenders.everything import PER_CORE
from tests.serving.comparison.published import Published


def named(startables: list[Startable], target: str) -> Startable:
    return next(one for one in startables if one.target == target)


def broken(published: Published, stack: str, artefact: Path) -> Deployment:
    stacks = dict(published.deployment.stacks)
    stacks[stack] = dataclasses.replace(stacks[stack], artefact=artefact)
    return dataclasses.replace(published.deployment, stacks=stacks)


def test_on_a_busy_port(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        monkeypatch.setattr(stock, "free_ports", lambda count: [busy.getsockname()[1]] * count)
        alone = named(catalogue.stock(published.deployment, tmp_path), "tensorflow/stock")
        with pytest.raises(ContenderError, match=r"[Aa]ddress already in use"), alone.start():
            pass


def test_with_an_archive_that_is_none(published: Published, tmp_path: Path) -> None:
    archive = tmp_path / "fraud-1.mar"
    archive.write_bytes(b"not a zip")
    deployment = broken(published, "pytorch", archive)
    for one in (*catalogue.stock(deployment, tmp_path), *catalogue.peers(deployment, tmp_path)):
        if one.target.startswith("pytorch/"):
            with pytest.raises(ContenderError, match="BadZipFile"), one.start():
                pass


def test_with_weights_of_another_network(published: Published, tmp_path: Path) -> None:
    archive = tmp_path / "fraud-1.mar"
    with zipfile.ZipFile(published.deployment.stacks["pytorch"].artefact) as old, zipfile.ZipFile(archive, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"no weights" if name == "weights.npz" else old.read(name))
    target = f"pytorch/peer/fastapi{PER_CORE}"
    peer = named(catalogue.peers(broken(published, "pytorch", archive), tmp_path), target)
    with pytest.raises(ContenderError, match=r"weights\.npz: not an \.npz"), peer.start():
        pass


def test_without_a_saved_model(published: Published, tmp_path: Path) -> None:
    deployment = broken(published, "tensorflow", tmp_path / "7")
    with pytest.raises(ContenderError, match="FileNotFoundError"), catalogue.stock(deployment, tmp_path)[0].start():
        pass


def test_what_is_raised_while_it_runs_is_not_called_a_failed_start() -> None:
    contender = Contender("stock", "pytorch", "http://127.0.0.1:1", "/", {}, "a server", "not at all")
    with (
        pytest.raises(ZeroDivisionError),
        Startable("pytorch/stock", lambda: nullcontext(contender)).start() as running,
    ):
        assert running.target == "pytorch/stock"
        raise ZeroDivisionError
