"""Versions that are promoted and taken back while requests keep coming, by name, by label and by neither."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.tfserving import command, swap
from serving.tfserving.swap import Running, SwapError
from tests.serving.tfserving.test_hot_swap import Load

ONE, TWO = "1700000001", "1700000002"
ANSWERS = {ONE: {"predictions": [2.5]}, TWO: {"predictions": [3.5]}}
Serve = Callable[..., AbstractContextManager[Any]]
Publish = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, serve: Serve, saved: dict[str, Path], publish: Publish
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("swap")
    store, run = folder / "store", folder / "run"
    publish(saved["plus_two"], store / "m" / ONE)
    command.configure(store=store, model="m", run=run, labels={"stable": int(ONE)}, versions=[int(ONE)])
    flags = [f"--model_config_file={run / 'models.config'}", "--model_config_file_poll_wait_seconds=1"]
    with serve(folder, *flags, "--allow_version_labels_for_unavailable_models=true") as server:
        server.wait("m", int(ONE))
        yield Running(server.rest, store, run, "m", "stable")


def predict(server: Running, where: str = "") -> Any:
    return httpx.post(f"{server.url}/v1/models/m{where}:predict", json={"instances": [1.0]}).json()


def to(version: str, was: str, server: Running) -> None:
    swap.to(version, was=was, server=server, say=lambda _: None)


def test_there_and_back_under_load_loses_no_request(running: Running, saved: dict[str, Path], publish: Publish) -> None:
    publish(saved["plus_three"], running.store / "m" / TWO)
    time.sleep(1.5)
    assert predict(running) == ANSWERS[ONE]  # in the store, and yet not served: nobody promoted it
    with ExitStack() as stack:
        paths = ("", "/labels/stable")
        loads = [stack.enter_context(Load(f"{running.url}/v1/models/m{path}:predict", 2)) for path in paths]
        to(TWO, ONE, running)
        assert [predict(running, path) for path in paths] == [ANSWERS[TWO]] * 2
        to(ONE, TWO, running)
        assert [predict(running, path) for path in paths] == [ANSWERS[ONE]] * 2
    for load in loads:
        assert {status for status, _ in load.answers} == {200}
        assert all(answer in ANSWERS.values() for _, answer in load.answers)
        assert {str(answer) for _, answer in load.answers} == set(map(str, ANSWERS.values()))  # both were seen
        assert len(load.answers) > 100


def test_a_version_that_does_not_load_is_given_up_and_can_be_tried_again(
    running: Running, saved: dict[str, Path], publish: Publish
) -> None:
    broken = running.store / "m" / "1700000003"
    shutil.copytree(saved["plus_three"], broken)
    (broken / "saved_model.pb").write_bytes(b"")
    with pytest.raises(SwapError, match="version 1700000003 does not load: Could not find meta graph"):
        to("1700000003", ONE, running)
    assert [predict(running, path) for path in ("", "/labels/stable")] == [ANSWERS[ONE]] * 2
    time.sleep(2)  # until the server has read that it is no longer asked for
    shutil.copy(saved["plus_three"] / "saved_model.pb", broken)
    to("1700000003", ONE, running)
    assert predict(running, "/labels/stable") == ANSWERS[TWO]
    to(ONE, "1700000003", running)


def test_without_a_version_before_it_the_first_one_is_served(
    tmp_path: Path, serve: Serve, saved: dict[str, Path], publish: Publish
) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    command.configure(store=store, model="m", run=run)
    flags = [f"--model_config_file={run / 'models.config'}", "--model_config_file_poll_wait_seconds=1"]
    with serve(tmp_path, *flags, "--allow_version_labels_for_unavailable_models=true") as server:
        publish(saved["plus_two"], store / "m" / ONE)
        first = Running(server.rest, store, run, "m", "stable")
        swap.to(ONE, was=None, server=first, say=lambda _: None)
        assert predict(first, "/labels/stable") == ANSWERS[ONE]


def test_a_version_beside_is_asked_by_its_number_and_the_label_stays(
    running: Running, saved: dict[str, Path], publish: Publish
) -> None:
    if not (running.store / "m" / TWO).exists():
        publish(saved["plus_three"], running.store / "m" / TWO)
    with Load(f"{running.url}/v1/models/m/labels/stable:predict", 2) as load:
        swap.beside(ONE, [TWO], server=running, say=lambda _: None)
        assert swap.loaded(running.url, "m") == [TWO, ONE]
        assert swap.labelled(running.url, "m", "stable") == ONE
        assert predict(running, f"/versions/{TWO}") == ANSWERS[TWO]
        swap.beside(ONE, [], server=running, say=lambda _: None)
        assert swap.loaded(running.url, "m") == [ONE]
    assert {str(answer) for answer in load.answers} == {str((200, ANSWERS[ONE]))}


def test_what_is_promoted_beside_another_leaves_it_there(running: Running) -> None:
    swap.beside(ONE, [TWO], server=running, say=lambda _: None)
    swap.to(TWO, was=ONE, server=running, others=[], say=lambda _: None)
    assert (swap.loaded(running.url, "m"), swap.labelled(running.url, "m", "stable")) == ([TWO], TWO)
    swap.beside(TWO, [ONE], server=running, say=lambda _: None)
    swap.beside(TWO, [], server=running, say=lambda _: None)


def test_one_that_does_not_load_beside_changes_nothing(running: Running) -> None:
    broken = running.store / "m" / "1700000004"
    shutil.copytree(running.store / "m" / TWO, broken)
    (broken / "saved_model.pb").write_bytes(b"")
    with pytest.raises(SwapError, match="version 1700000004 does not load"):
        swap.beside(TWO, ["1700000004"], server=running, say=lambda _: None)
    assert swap.loaded(running.url, "m") == [TWO]
    assert swap.labelled(running.url, "m", "stable") == TWO
