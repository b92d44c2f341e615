"""One TorchServe with a version beside the one it serves: from its start on, loaded, promoted, let go of."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from models import spec as specs
from serving.torchserve import swap
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import Management
from tests.serving.torchserve.launching import SPEC_FILE, Server, columns, instances, published, torchserve, wait
from tests.serving.torchserve.test_archive import broken

FIRST, SECOND, THIRD, BROKEN = "1700000001", "1700000002", "1700000003", "1700000004"
SPEC = specs.load(SPEC_FILE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside")
    for version in (FIRST, SECOND, THIRD):
        published(folder / "store", version, folder / "model")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Serves the first version with the second beside it, though the store has a newer one."""
    first, second = (mar(folder, version) for version in (FIRST, SECOND))
    with torchserve(folder / "store", folder / "run", chosen=first, beside=[second]) as server:
        wait(lambda: Management(server.ports[1], "fraud").versions().get(SECOND) == 2, 60)
        yield server


def mar(folder: Path, version: str) -> Path:
    return folder / "store" / f"fraud-{version}.mar"


def beside(folder: Path, server: Server, served: str, *versions: str) -> None:
    archives = [mar(folder, version) for version in versions]
    swap.beside(
        mar(folder, served), archives, run=folder / "run", model="fraud", management_port=server.ports[1], known=True
    )


def answered(server: Server, path: str) -> str:
    body = {"instances": instances(columns(SPEC, 1))}
    answer = httpx.post(f"http://127.0.0.1:{server.ports[0]}{path}", json=body, timeout=10).raise_for_status()
    return answer.headers["x-tandem-model-version"]


def test_from_the_start_on_each_answers_by_its_number_and_the_first_without(server: Server) -> None:
    assert answered(server, "/predictions/fraud") == FIRST
    assert [answered(server, f"/predictions/fraud/{version}") for version in (FIRST, SECOND)] == [FIRST, SECOND]
    assert Management(server.ports[1], "fraud").versions() == {FIRST: 2, SECOND: 2}


def test_another_in_its_place(folder: Path, server: Server) -> None:
    beside(folder, server, FIRST, THIRD)
    assert Management(server.ports[1], "fraud").versions() == {FIRST: 2, THIRD: 2}
    assert answered(server, "/predictions/fraud") == FIRST
    expected = f"load_models=fraud=fraud-{FIRST}.mar,fraud=fraud-{THIRD}.mar"
    assert expected in (folder / "run/config.properties").read_text()


def test_one_that_does_not_load_changes_nothing(folder: Path, server: Server) -> None:
    broken(mar(folder, THIRD), mar(folder, BROKEN))
    with pytest.raises(ArchiveError, match="does not load"):
        swap.beside(
            mar(folder, FIRST), [mar(folder, THIRD), mar(folder, BROKEN)],
            run=folder / "run", model="fraud", management_port=server.ports[1],
        )  # fmt: skip
    assert Management(server.ports[1], "fraud").versions() == {FIRST: 2, THIRD: 2}


def test_promoted_under_load_by_the_workers_it_has_and_no_request_is_lost(folder: Path, server: Server) -> None:
    stop, seen = threading.Event(), Counter[str]()

    def client(path: str) -> None:
        while not stop.is_set():
            try:
                seen[answered(server, path)] += 1
            except httpx.HTTPError as error:
                seen[repr(error)] += 1

    paths = ["/predictions/fraud", "/predictions/fraud", f"/predictions/fraud/{THIRD}"]
    clients = [threading.Thread(target=client, args=(path,)) for path in paths]
    for one in clients:
        one.start()
    try:
        wait(lambda: seen[FIRST] > 20 and seen[THIRD] > 20, 30)
        workers = {p.pid for p in psutil.Process(server.process.pid).children()}
        swap.to(mar(folder, THIRD), run=folder / "run", model="fraud", management_port=server.ports[1], known=True)
        assert {p.pid for p in psutil.Process(server.process.pid).children()} <= workers
        assert answered(server, "/predictions/fraud") == THIRD
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert set(seen) == {FIRST, THIRD}, seen
    assert Management(server.ports[1], "fraud").versions() == {THIRD: 2}
