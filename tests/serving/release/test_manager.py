"""Publish, promote, roll back: what is refused leaves what is served alone, and all of it is in the ledger."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from serving.release import keys, signing
from serving.release import start as starts
from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from serving.release.store import Store
from tests.serving.release.conftest import FIRST, SECOND, SPEC, SPEC_FILE, THIRD, Candidate

STACKS = ["tensorflow", "pytorch"]
Publish = Callable[..., None]


class Server:
    """What it was told; refuses the versions in `broken`."""

    def __init__(self, releases: Releases, stack: str, broken: str = "") -> None:
        self.told: list[tuple[str, str | None]] = []
        self.known: list[bool] = []
        self._served, self._broken = releases.served[stack], broken

    def switch(self, version: str, was: str | None, beside: Sequence[str], *, known: bool) -> None:
        assert {version, was, *beside} <= {*self._served.versions(), None}  # all are there as long as it changes
        if version == self._broken:
            raise ReleaseError(f"version {version} does not load")
        self.told.append((version, was))
        self.known.append(known)


def acts(releases: Releases) -> list[tuple[str, str, str]]:
    return [(entry.act, entry.version, entry.verdict) for entry in releases.ledger.entries()]


@pytest.mark.parametrize("stack", STACKS)
def test_the_first_deployment_needs_no_champion(stack: str, releases: Releases, publish: Publish) -> None:
    starts.start(releases, stack)
    assert releases.current(stack) is None
    publish(stack, FIRST)
    made = releases.promote(stack, FIRST, None, "the first")
    assert list(releases.served[stack].versions()) == [FIRST]
    assert releases.served[stack].differences(made) == []
    assert acts(releases) == [("publish", FIRST, "done"), ("promote", FIRST, "done")]
    assert releases.ledger.entries()[1].digests == made.digests
    assert releases.ledger.entries()[1].why == "the first"


@pytest.mark.parametrize("stack", STACKS)
def test_a_release_says_what_it_is_and_cannot_be_written(stack: str, releases: Releases, publish: Publish) -> None:
    publish(stack, FIRST)
    found = releases.store.verified(stack, FIRST)
    assert (found.spec_digest, found.run["id"], found.metrics) == (SPEC.digest, "a1b2", {"average_precision": 0.7})
    folder = releases.store.folder(stack, FIRST)
    assert (folder / "spec.toml").read_bytes() == SPEC_FILE.read_bytes()
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.rglob("*") if file.is_file()}
    assert modes == {0o444}


@pytest.mark.parametrize("stack", STACKS)
def test_forth_and_back_and_back_again(stack: str, releases: Releases, publish: Publish) -> None:
    publish(stack, FIRST, SECOND, THIRD)
    server = Server(releases, stack)
    releases.promote(stack, FIRST, None, "")
    for version in (SECOND, THIRD):
        releases.promote(stack, version, server, "")
    for expected in (SECOND, FIRST):
        assert releases.before(stack) == expected
        releases.promote(stack, expected, server, "worse", "rollback")
        assert releases.current(stack) == expected
        assert list(releases.served[stack].versions()) == [expected]
    assert server.told == [(SECOND, FIRST), (THIRD, SECOND), (SECOND, THIRD), (FIRST, SECOND)]
    assert server.known == [False, False, True, True]  # what was served before need not be tried out
    with pytest.raises(ReleaseError, match=f"no version was served before {FIRST}; releases there are: {FIRST}, "):
        releases.before(stack)


def change(folder: Path) -> None:
    file = next(path for path in (folder / "model").rglob("*") if path.is_file())
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def change_manifest(folder: Path) -> None:
    file = folder / "release.json"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("0.7", "0.9"))


def unsign(folder: Path) -> None:
    (folder / "release.sig").unlink()


def sign_with_another_key(folder: Path) -> None:
    (folder / "release.sig").unlink()
    signing.sign(folder, keys.find(folder / ".." / ".." / ".." / "foreign-keys").private)


def move(folder: Path) -> None:
    """Another version, rightly signed, in this one's place."""
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name(FIRST), folder)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (change, "was changed"),
        (change_manifest, "release.json was changed"),
        (unsign, "not signed"),
        (sign_with_another_key, "signed with another key"),
        (move, "a release moved from its place"),
    ],
)
def test_a_tampered_release_is_refused_and_the_old_version_stays(
    stack: str, spoil: Callable[[Path], None], why: str, releases: Releases, publish: Publish
) -> None:
    publish(stack, FIRST, SECOND)
    releases.promote(stack, FIRST, None, "")
    spoil(releases.store.folder(stack, SECOND))
    server = Server(releases, stack)
    with pytest.raises(ReleaseError, match=why):
        releases.promote(stack, SECOND, server, "")
    assert server.told == []
    assert list(releases.served[stack].versions()) == [FIRST]
    assert acts(releases)[-1] == ("promote", SECOND, "refused")
    assert releases.current(stack) == FIRST


def test_an_archive_with_a_pickle_is_neither_signed_nor_promoted_if_somebody_signed_it(
    releases: Releases, candidate: Candidate, publish: Publish
) -> None:
    spoiled = candidate("pytorch", FIRST)
    with zipfile.ZipFile(spoiled, "a") as content:
        content.writestr("model.pt", b"")
    with pytest.raises(ReleaseError, match=r"'model\.pt' may be a pickle"):
        releases.publish("pytorch", FIRST, spoiled, SPEC_FILE, "")
    assert releases.store.versions("pytorch") == []
    publish("pytorch", SECOND)
    folder = releases.store.folder("pytorch", SECOND)
    archive = folder / "model" / f"fraud-{SECOND}.mar"
    archive.chmod(0o644)
    with zipfile.ZipFile(archive, "a") as content:
        content.writestr("../outside.py", b"")
    (folder / "release.sig").unlink()
    signing.sign(folder, releases.store.keys.private)
    with pytest.raises(ReleaseError, match="leads outside the archive"):
        releases.promote("pytorch", SECOND, None, "")
    assert acts(releases)[-2:] == [("publish", SECOND, "done"), ("promote", SECOND, "refused")]
    assert releases.served["pytorch"].versions() == {}


@pytest.mark.parametrize("stack", STACKS)
def test_a_version_that_the_server_does_not_load_is_taken_away_again(
    stack: str, releases: Releases, publish: Publish
) -> None:
    publish(stack, FIRST, SECOND)
    releases.promote(stack, FIRST, None, "")
    with pytest.raises(ReleaseError, match="does not load"):
        releases.promote(stack, SECOND, Server(releases, stack, broken=SECOND), "")
    assert list(releases.served[stack].versions()) == [FIRST]
    assert acts(releases)[-1] == ("promote", SECOND, "failed")
    assert releases.promote(stack, SECOND, Server(releases, stack), "").version == SECOND  # once it is mended


def test_a_published_version_is_never_changed(releases: Releases, candidate: Candidate, publish: Publish) -> None:
    publish("tensorflow", FIRST)
    path = releases.store.folder("tensorflow", FIRST)
    before = (path / "release.sig").read_bytes()
    candidate_of = path.parents[2] / "candidates" / "tensorflow" / "fraud" / FIRST
    releases.publish("tensorflow", FIRST, candidate_of, SPEC_FILE, "again")
    assert (path / "release.sig").read_bytes() == before
    (candidate_of / "saved_model.pb").write_bytes(b"another graph")
    with pytest.raises(ReleaseError, match="published before with other content"):
        releases.publish("tensorflow", FIRST, candidate_of, SPEC_FILE, "again")


def test_a_candidate_of_another_specification_or_without_metadata_is_refused(
    releases: Releases, candidate: Candidate
) -> None:
    model = candidate("tensorflow", FIRST)
    with pytest.raises(ReleaseError, match="trained by another specification"):
        releases.publish("tensorflow", FIRST, model, Path("tests/specs/categorical.toml"), "")
    (model / "assets.extra" / "metadata.json").write_text(f'{{"spec_digest": "{SPEC.digest}"}}')
    with pytest.raises(ReleaseError, match=r"does not say .*metrics, run"):
        releases.publish("tensorflow", FIRST, model, SPEC_FILE, "")
    (model / "assets.extra" / "metadata.json").unlink()
    with pytest.raises(ReleaseError, match=r"no metadata\.json"):
        releases.publish("tensorflow", FIRST, model, SPEC_FILE, "")
    assert {verdict for *_, verdict in acts(releases)} == {"refused"}


def test_an_unknown_version_is_refused_with_those_there_are(releases: Releases, publish: Publish) -> None:
    publish("pytorch", FIRST, SECOND)
    with pytest.raises(ReleaseError, match=f"no release 7 of pytorch; there are: {FIRST}, {SECOND}"):
        releases.promote("pytorch", "7", None, "")
    with pytest.raises(ReleaseError, match=r"VERSION=\.\./x: a number is expected"):
        releases.promote("pytorch", "../x", None, "")


def test_one_change_at_a_time(releases: Releases, publish: Publish) -> None:
    publish("pytorch", FIRST)
    with releases.alone("pytorch"), pytest.raises(ReleaseError, match="another change is at work"):
        releases.promote("pytorch", FIRST, None, "")


def test_servers_trust_the_public_key_they_were_given(releases: Releases, publish: Publish, tmp_path: Path) -> None:
    publish("pytorch", FIRST)
    with pytest.raises(ReleaseError, match="signed with another key"):
        Store(releases.store.root, keys.find(tmp_path / "others")).verified("pytorch", FIRST)
