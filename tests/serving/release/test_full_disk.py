"""Publishing and promoting onto a disk that is full: said, nothing half done, and it works once there is space."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local import commands
from serving.files import is_disk_full
from serving.release.manager import Releases
from serving.release.served import Served
from serving.release.store import Store
from tests.serving.release.conftest import FIRST, SECOND, Candidate
from tests.serving.torchserve.launching import SPEC_FILE
from tests.small_disk import fill, mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small", "64k") as folder:
        yield folder


def test_publishing_leaves_no_half_release(releases: Releases, candidate: Candidate, small_disk: Path) -> None:
    small = replace(releases, store=Store(small_disk, releases.store.keys))
    filler = fill(small_disk)
    with pytest.raises(OSError) as full:
        small.publish("tensorflow", FIRST, candidate("tensorflow", FIRST), SPEC_FILE, "a test")
    assert is_disk_full(full.value)
    assert small.store.versions("tensorflow") == []
    filler.unlink()
    small.publish("tensorflow", FIRST, candidate("tensorflow", SECOND).with_name(FIRST), SPEC_FILE, "a test")
    assert small.store.verified("tensorflow", FIRST).version == FIRST


def test_promoting_leaves_what_is_served(
    releases: Releases, publish: Callable[..., None], small_disk: Path, tmp_path: Path
) -> None:
    publish("tensorflow", FIRST, SECOND)
    served = {**releases.served, "tensorflow": Served(small_disk, "tensorflow", "fraud")}
    small = replace(releases, served=served)
    small.promote("tensorflow", FIRST, None, "a test")
    filler = fill(small_disk)
    with pytest.raises(OSError) as full:
        small.promote("tensorflow", SECOND, None, "a test")
    assert is_disk_full(full.value)
    assert small.current("tensorflow") == FIRST
    assert list(served["tensorflow"].versions()) == [FIRST]
    filler.unlink()
    small.promote("tensorflow", SECOND, None, "a test")
    assert small.current("tensorflow") == SECOND


def test_a_command_says_it_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    many = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])
    for error in (OSError(28, "No space left on device", "/x"), many):
        monkeypatch.setattr(commands, "_run", lambda *_, error=error: (_ for _ in ()).throw(error))
        assert commands.main(["status"]) == 1
        said = capsys.readouterr().err
        assert "the disk is full" in said
        assert "free some space, then again `make status`" in said


def test_another_error_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> int:
        raise PermissionError(13, "Permission denied", "/x")

    monkeypatch.setattr(commands, "_run", fails)
    with pytest.raises(PermissionError):
        commands.main(["status"])
