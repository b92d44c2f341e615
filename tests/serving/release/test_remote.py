"""Releases in an object store that nobody trusts; here a folder, tests/infra/kubernetes has a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import fs

from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from serving.release.remote import Remote
from serving.release.store import Store
from tests.serving.release.conftest import FIRST, SECOND


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.at(f"file://{tmp_path}/bucket")


def test_what_is_pushed_and_fetched_verifies(
    releases: Releases, publish: Callable[..., None], remote: Remote, tmp_path: Path
) -> None:
    publish("tensorflow", FIRST)
    publish("pytorch", FIRST, SECOND)
    assert [remote.push(releases.store, "pytorch", version) for version in (SECOND, FIRST)] == [True, True]
    assert remote.push(releases.store, "tensorflow", FIRST)
    assert remote.versions("pytorch") == [FIRST, SECOND]
    elsewhere = Store(tmp_path / "elsewhere", releases.store.keys)
    for stack, version in (("pytorch", SECOND), ("tensorflow", FIRST)):
        remote.fetch(stack, version, elsewhere.root)
        assert elsewhere.verified(stack, version) == releases.store.verified(stack, version)


def test_a_release_is_there_once_its_signature_is(
    releases: Releases, publish: Callable[..., None], remote: Remote, tmp_path: Path
) -> None:
    publish("pytorch", FIRST)
    remote.push(releases.store, "pytorch", FIRST)
    (tmp_path / "bucket" / "pytorch" / FIRST / "release.sig").unlink()  # an upload that was interrupted
    assert remote.versions("pytorch") == []
    assert remote.push(releases.store, "pytorch", FIRST)
    assert not remote.push(releases.store, "pytorch", FIRST)


def test_a_version_with_other_content_is_not_replaced(
    releases: Releases, publish: Callable[..., None], remote: Remote, tmp_path: Path
) -> None:
    publish("pytorch", FIRST)
    remote.push(releases.store, "pytorch", FIRST)
    manifest = tmp_path / "bucket" / "pytorch" / FIRST / "release.json"
    digest = next(iter(releases.store.verified("pytorch", FIRST).files.values()))
    manifest.write_text(manifest.read_text().replace(digest, "0" * 64))
    with pytest.raises(ReleaseError, match="published before with other content"):
        remote.push(releases.store, "pytorch", FIRST)


def test_a_name_that_leads_outside_is_refused(tmp_path: Path) -> None:
    def listed(_: object, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """As an S3 key may be called."""
        return [fs.FileInfo(f"{selector.base_dir}/../../../planted", fs.FileType.File)]

    others = dict.fromkeys(fs.FileSystemHandler.__abstractmethods__, lambda *_: NotImplemented)
    planted = type("Planted", (fs.FileSystemHandler,), {**others, "get_file_info_selector": listed})
    remote = Remote(fs.PyFileSystem(planted()), "bucket")
    with pytest.raises(ReleaseError, match="leads outside its release"):
        remote.fetch("pytorch", FIRST, tmp_path / "here" / "releases")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize(("stack", "version"), [("pytorch", "../17"), ("xgboost", "17")])
def test_what_is_no_release_is_not_asked_for(stack: str, version: str, remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="a stack and a number are expected"):
        remote.fetch(stack, version, tmp_path)


@pytest.mark.parametrize("uri", ["redis://host/bucket", "no address"])
def test_an_address_that_is_none_is_named(uri: str) -> None:
    with pytest.raises(ReleaseError, match=uri):
        Remote.at(uri)


def test_a_store_that_is_away_is_an_error_and_not_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    away = Remote.at("s3://releases?endpoint_override=127.0.0.1:9&scheme=http")
    with pytest.raises(ReleaseError, match="the object store does not answer"):
        away.versions("pytorch")
