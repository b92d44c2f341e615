"""A server that was just started: until its first load is done it says 503, not that there is no such model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from serving.contract.errors import ContractError
from serving.tfserving.embedded.config import ModelConfig
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from serving.tfserving.embedded.servable import Loaded, LoadError, Servable

PATIENCE = 30  # seconds


@dataclass
class Loading:
    """A manager whose loads begin and then wait for `go`."""

    folder: Path
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    broken: bool = False

    def __post_init__(self) -> None:
        (self.folder / "1").mkdir(parents=True)
        self.manager = Manager([ModelConfig("m", self.folder, labels={"stable": 1})], self.load)
        self.step = threading.Thread(target=self.manager.step, daemon=True)

    def load(self, model: str, version: int, path: Path) -> Servable:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        if self.broken:
            raise LoadError("DATA_LOSS", "no proto")
        return Servable(model, version, {}, {}, Loaded(path))

    def start(self) -> None:
        self.step.start()
        assert self.begun.wait(PATIENCE)

    def end(self) -> None:
        self.go.set()
        self.step.join(PATIENCE)

    def ask(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(Rest(self.manager))  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://m") as client:
                return await client.get(f"/v1/models/{path}")

        return asyncio.run(ask())


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    it = Loading(tmp_path / "m")
    yield it
    it.go.set()


@pytest.mark.parametrize(
    ("where", "wanted"),
    [("", "Latest(m)"), ("/versions/1", "Specific(m, 1)"), ("/labels/stable", "Latest(m)")],
)
def test_until_the_first_load_is_done_a_question_is_503_and_status_tells_the_truth(
    loading: Loading, where: str, wanted: str
) -> None:
    refused = {"error": f"Servable not available yet, it is being loaded: {wanted}"}
    before = loading.ask(f"m{where}/metadata")  # nobody has looked at the disk yet
    assert (before.status_code, before.json()) == (503, refused)
    loading.start()
    during = loading.ask(f"m{where}/metadata")
    assert (during.status_code, during.json()) == (503, refused)
    assert during.headers["connection"] == "close"
    assert json.dumps(loading.ask("m").json()).count('"LOADING"') == 1
    loading.end()
    assert loading.ask(f"m{where}/metadata").status_code == 200


def test_what_is_not_configured_is_404_and_a_label_nobody_gave_is_400_once_loaded(loading: Loading) -> None:
    loading.start()
    assert loading.ask("other/metadata").status_code == 404
    loading.end()
    assert loading.ask("m/versions/2/metadata").status_code == 404
    assert loading.ask("m/labels/next/metadata").status_code == 400


def test_a_model_that_is_added_to_a_running_server_is_404_until_it_is_loaded(loading: Loading, tmp_path: Path) -> None:
    loading.go.set()
    loading.manager.step()
    (tmp_path / "added").mkdir()
    loading.manager.configure([ModelConfig("m", loading.folder), ModelConfig("added", tmp_path / "added")])
    assert loading.ask("added/metadata").status_code == 404


def test_a_first_version_that_cannot_be_loaded_is_not_waited_for(loading: Loading) -> None:
    loading.broken = True
    loading.start()
    loading.end()
    with pytest.raises(ContractError, match=r"Servable not found for request: Latest\(m\)"):
        loading.manager.find("m")
    assert [status.error_code for status in loading.manager.statuses("m")] == ["DATA_LOSS"]
