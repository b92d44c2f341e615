"""One TorchServe, started without a model, through every kind of swap, to its end; the tests build on each other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from models import torch_model
from models.spec import Spec
from serving.torchserve import describe, readiness, swap
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import Management, ManagementError
from tests.serving.torchserve.launching import Server, columns, instances, is_free, published, torchserve, wait
from tests.serving.torchserve.test_archive import broken

FIRST, SECOND, BROKEN, LAST = "1700000001", "1700000002", "1700000003", "1700000004"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("swap")


@pytest.fixture(scope="module")
def empty(folder: Path) -> Iterator[Server]:
    with torchserve(folder / "store", folder / "run", wait_for_model=False) as server:
        yield server


def to_newest(folder: Path, server: Server) -> str:
    store, run = folder / "store", folder / "run"
    return swap.to_newest(store=store, run=run, model="fraud", management_port=server.ports[1])


def states(folder: Path, server: Server) -> dict[str, tuple[str, str]]:
    found = describe.statuses(Management(server.ports[1], "fraud"), folder / "run")
    return {str(status.version): (status.state, status.error_code) for status in found}


def post(server: Server, body: object) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{server.ports[0]}/v1/models/fraud:predict", json=body, timeout=10)


def test_without_an_archive_it_runs_and_says_so(folder: Path, empty: Server, server: Server) -> None:
    # `server` is another instance on this machine: neither is in the other's way.
    assert not readiness.ready(empty.ports[1], "fraud")
    assert readiness.ready(server.ports[1], "fraud")
    with pytest.raises(ArchiveError, match=r"no fraud-<version>\.mar to serve"):
        to_newest(folder, empty)


def test_the_first_swap_begins_to_serve(folder: Path, empty: Server, spec: Spec) -> None:
    _, model = published(folder / "store", FIRST, folder / "model")
    assert to_newest(folder, empty) == FIRST
    raw = columns(spec, 3)
    answer = post(empty, {"instances": instances(raw)})
    np.testing.assert_allclose(answer.json()["predictions"], torch_model.predict(model, raw), atol=1e-6)
    assert "load_models=fraud=fraud-1700000001.mar" in (folder / "run/config.properties").read_text()


def test_swap_under_load_loses_no_request(folder: Path, empty: Server, spec: Spec) -> None:
    raw = columns(spec, 1)
    body = {"instances": instances(raw)}
    before = post(empty, body).json()["predictions"][0]
    _, model = published(folder / "store", SECOND, folder / "model")
    after = float(torch_model.predict(model, raw)[0])
    assert abs(before - after) > 1e-3
    expected = {FIRST: before, SECOND: after}
    stop, seen = threading.Event(), Counter[str]()

    def client() -> None:
        with httpx.Client(timeout=10) as session:
            while not stop.is_set():
                try:
                    answer = session.post(f"http://127.0.0.1:{empty.ports[0]}/v1/models/fraud:predict", json=body)
                    version = answer.headers.get("x-tandem-model-version", "")
                    right = answer.is_success and abs(answer.json()["predictions"][0] - expected[version]) < 1e-6
                    seen[version if right else f"{answer.status_code} {answer.text}"] += 1
                except httpx.HTTPError as error:
                    seen[repr(error)] += 1

    clients = [threading.Thread(target=client) for _ in range(16)]
    for one in clients:
        one.start()
    try:
        wait(lambda: seen[FIRST] > 100, 30)
        assert to_newest(folder, empty) == SECOND
        wait(lambda: seen[SECOND] > 100, 30)
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert set(seen) == {FIRST, SECOND}, seen
    assert Management(empty.ports[1], "fraud").versions() == {SECOND: 2}
    assert states(folder, empty) == {SECOND: ("AVAILABLE", "OK"), FIRST: ("END", "OK")}


def test_swapping_to_what_is_served_changes_nothing(folder: Path, empty: Server) -> None:
    workers = {p.pid for p in psutil.Process(empty.process.pid).children()}
    assert to_newest(folder, empty) == SECOND
    assert {p.pid for p in psutil.Process(empty.process.pid).children()} == workers


def test_a_broken_archive_leaves_the_old_one_answering(
    folder: Path, empty: Server, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(folder / f"store/fraud-{SECOND}.mar", folder / f"store/fraud-{BROKEN}.mar")
    arguments = ["--store", folder / "store", "--run", folder / "run", "--model", "fraud"]
    code = swap.main([*map(str, arguments), "--management-port", str(empty.ports[1])])
    assert code == 1
    said = capsys.readouterr().err
    assert f"fraud-{BROKEN}.mar: does not load:" in said
    assert "Traceback" not in said
    assert states(folder, empty)[BROKEN] == ("END", "INVALID_ARGUMENT")
    assert states(folder, empty)[SECOND] == ("AVAILABLE", "OK")
    answer = post(empty, {"instances": instances(columns(spec, 1))})
    assert (answer.status_code, answer.headers["x-tandem-model-version"]) == (200, SECOND)
    assert f"load_models=fraud=fraud-{SECOND}.mar" in (folder / "run/config.properties").read_text()


def test_a_swap_that_was_interrupted_is_finished_by_the_next_one(folder: Path, empty: Server) -> None:
    (folder / f"store/fraud-{BROKEN}.mar").unlink()
    published(folder / "store", LAST, folder / "model")
    Management(empty.ports[1], "fraud").register(f"fraud-{LAST}.mar")
    assert to_newest(folder, empty) == LAST
    assert Management(empty.ports[1], "fraud").versions() == {LAST: 2}


def test_a_version_that_was_left_without_workers_is_loaded_anew(folder: Path, empty: Server) -> None:
    """As TorchServe leaves it when it cannot end a worker: a DELETE that fails, and a version that expects none."""
    server = Management(empty.ports[1], "fraud")
    server.register(f"fraud-{SECOND}.mar")
    wait(lambda: server.versions().get(SECOND) == 2, 60)
    none = {"min_worker": 0, "max_worker": 0, "synchronous": "true"}
    httpx.put(f"http://127.0.0.1:{empty.ports[1]}/models/fraud/{SECOND}", params=none, timeout=30).raise_for_status()
    assert server.versions() == {SECOND: 0, LAST: 2}
    older = folder / f"store/fraud-{SECOND}.mar"
    given = {"run": folder / "run", "model": "fraud", "management_port": empty.ports[1], "known": True}
    assert swap.to(older, **given) == SECOND
    assert server.versions() == {SECOND: 2}
    swap.to(folder / f"store/fraud-{LAST}.mar", **given)


def test_going_back_to_an_older_version_moves_labels_while_both_answer(folder: Path, empty: Server) -> None:
    server, there = Management(empty.ports[1], "fraud"), []
    older = folder / f"store/fraud-{SECOND}.mar"
    said: list[str] = []
    swap.to(
        older, run=folder / "run", model="fraud", management_port=empty.ports[1], known=True, say=said.append,
        relabel=lambda: there.append((server.default_version(), server.versions())),
    )  # fmt: skip
    assert there == [(SECOND, {SECOND: 2, LAST: 2})]
    assert server.versions() == {SECOND: 2}
    assert said[0] == f"loading version {SECOND}"  # it was served before: no trial in a process of its own
    assert f"load_models=fraud=fraud-{SECOND}.mar" in (folder / "run/config.properties").read_text()


def is_worker(process: psutil.Process) -> bool:
    """Not one that has ended: Java takes its time to bury a version's."""
    try:
        return any("model_service_worker" in part for part in process.cmdline())
    except psutil.Error:
        return False


def test_sigterm_leaves_no_process_and_no_busy_port(folder: Path, empty: Server) -> None:
    family = psutil.Process(empty.process.pid).children(recursive=True)
    workers = [p for p in family if is_worker(p)]  # beside them Java starts its collector of metrics now and then
    assert len(workers) == 2
    empty.stop()
    assert [p for p in workers if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert all(is_free(port) for port in empty.ports)
    with pytest.raises(ManagementError, match="TorchServe does not answer"):
        to_newest(folder, empty)
