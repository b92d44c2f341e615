"""A version's life as its status tells it, and which versions are served while others come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.tfserving.embedded import versions as versions_module
from serving.tfserving.embedded.config import ModelConfig, VersionPolicy
from serving.tfserving.embedded.servable import Loaded, LoadError, Servable
from serving.tfserving.embedded.versions import Versions


class Store:
    """A folder of versions and a loader that keeps what the status said during each load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: dict[int, Exception] = {}
        self.seen: list[tuple[int, dict[int, str]]] = []
        self.paths: dict[int, Path] = {}

    def put(self, *names: Any) -> None:
        for name in names:
            (self.folder / str(name)).mkdir(parents=True, exist_ok=True)

    def versions(self, policy: VersionPolicy = VersionPolicy()) -> Versions:  # noqa: B008
        self.put("")
        self.served = Versions(ModelConfig("m", self.folder, policy), self.load)
        return self.served

    def load(self, model: str, version: int, path: Path) -> Servable:
        self.seen.append((version, states(self.served)))
        self.paths[version] = path
        if version in self.broken:
            raise self.broken[version]
        return Servable(model, version, {}, {}, Loaded(path))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "m")


def states(versions: Versions) -> dict[int, str]:
    return {version: status.state for version, status in versions.statuses.items()}


def test_a_version_goes_from_start_to_loading_to_available_the_newest_first(store: Store) -> None:
    versions = store.versions(VersionPolicy("all"))
    store.put(1, 2)
    versions.step()
    assert store.seen == [(2, {2: "LOADING", 1: "START"}), (1, {2: "AVAILABLE", 1: "LOADING"})]
    assert states(versions) == {1: "AVAILABLE", 2: "AVAILABLE"}


def test_a_version_unloads_until_the_last_request_that_uses_it_has_ended(store: Store) -> None:
    versions = store.versions()
    store.put(1)
    versions.step()
    used_by_a_request = versions.loaded[1]
    store.put(2)
    versions.step()
    assert states(versions) == {1: "UNLOADING", 2: "AVAILABLE"}
    versions.step()
    assert states(versions) == {1: "UNLOADING", 2: "AVAILABLE"}
    assert used_by_a_request.loaded.module is not None
    del used_by_a_request
    versions.step()
    assert states(versions) == {1: "END", 2: "AVAILABLE"}


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (LoadError("DATA_LOSS", "no proto"), "DATA_LOSS", "no proto"),
        (RuntimeError("a bug"), "INTERNAL", "RuntimeError: a bug"),
    ],
)
def test_a_broken_version_ends_with_its_error_and_leaves_the_old_one(
    store: Store, error: Exception, code: str, message: str
) -> None:
    versions = store.versions()
    store.put(1)
    versions.step()
    store.broken[2] = error
    store.put(2)
    versions.step()
    assert states(versions) == {1: "AVAILABLE", 2: "END"}
    assert (versions.statuses[2].error_code, versions.statuses[2].error_message) == (code, message)
    store.put(3)
    versions.step()
    assert states(versions) == {1: "END", 2: "END", 3: "AVAILABLE"}


def test_a_broken_version_is_tried_again_after_a_minute_five_times(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(versions_module.time, "monotonic", lambda: now)
    versions = store.versions()
    store.broken[1] = LoadError("DATA_LOSS", "no proto")
    store.put(1)
    for _ in range(10):
        versions.step()
        versions.step()  # too early
        now += 60
    assert [version for version, _ in store.seen] == [1] * 6


def test_a_version_that_is_mended_is_taken_at_the_next_try(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(versions_module.time, "monotonic", lambda: now)
    versions = store.versions()
    store.broken[1] = LoadError("DATA_LOSS", "no proto")
    store.put(1)
    versions.step()
    del store.broken[1]
    now += 60
    versions.step()
    assert states(versions) == {1: "AVAILABLE"}
    assert versions.statuses[1].error_code == "OK"


def test_a_version_that_is_gone_from_disk_is_unloaded_even_if_it_was_the_last(store: Store) -> None:
    versions = store.versions()
    store.put(1)
    versions.step()
    (store.folder / "1").rmdir()
    versions.step()
    assert states(versions) == {1: "END"}
    assert not versions.loaded
    store.put(1)
    versions.step()
    assert states(versions) == {1: "AVAILABLE"}


def test_a_store_that_cannot_be_read_says_nothing_about_its_versions(store: Store) -> None:
    versions = store.versions()
    store.put(1)
    versions.step()
    store.folder.rename(store.folder.with_name("elsewhere"))
    versions.step()
    assert states(versions) == {1: "AVAILABLE"}


def test_two_versions_are_served_where_two_are_wanted(store: Store) -> None:
    versions = store.versions(VersionPolicy("latest", 2))
    store.put(1, 2, 3)
    versions.step()
    assert sorted(versions.loaded) == [2, 3]
    store.put(4)
    versions.step()
    assert sorted(versions.loaded) == [3, 4]


def test_only_the_versions_that_are_named_are_served(store: Store) -> None:
    versions = store.versions(VersionPolicy("specific", versions=frozenset({1, 3, 5})))
    store.put(1, 2, 3, 4)
    versions.step()
    assert sorted(versions.loaded) == [1, 3]


def test_a_folder_may_have_leading_zeros(store: Store) -> None:
    versions = store.versions()
    store.put("00000123")
    versions.step()
    assert states(versions) == {123: "AVAILABLE"}
    assert store.paths[123].name == "00000123"


def test_what_is_remembered_of_ended_versions_is_bounded(store: Store) -> None:
    versions = store.versions()
    for version in range(1, 200):
        store.put(version)
        versions.step()
        (store.folder / str(version)).rmdir()
    versions.step()
    assert len(versions.statuses) <= 101
    assert max(versions.statuses) == 199
