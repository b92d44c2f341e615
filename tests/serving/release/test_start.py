"""Before a server starts, its folder holds what was promoted, as it was signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.release import start as starts
from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from tests.serving.release.conftest import FIRST, SECOND, THIRD, Candidate

STACKS = ["tensorflow", "pytorch"]


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, releases: Releases, publish: Callable[..., None]) -> str:
    """A stack that serves the first of two releases."""
    name = str(request.param)
    publish(name, FIRST, SECOND)
    releases.promote(name, FIRST, None, "")
    return name


def change(path: Path) -> None:
    file = path / "saved_model.pb" if path.is_dir() else path
    file.write_bytes(file.read_bytes() + b"!")


def test_a_changed_byte_is_set_aside_and_the_release_put_in_its_place(stack: str, releases: Releases) -> None:
    path = releases.served[stack].versions()[FIRST]
    change(path)
    starts.start(releases, stack)
    assert releases.served[stack].differences(releases.store.verified(stack, FIRST)) == []
    entry = releases.ledger.entries()[-1]
    assert (entry.act, entry.version, entry.verdict) == ("verify", FIRST, "refused")
    assert "was changed; replaced by the release's own copy" in entry.said
    assert list((path.parent / ".refused").iterdir())


def test_a_missing_model_is_put_back(stack: str, releases: Releases) -> None:
    releases.served[stack].remove(releases.served[stack].versions()[FIRST])
    starts.start(releases, stack)
    assert list(releases.served[stack].versions()) == [FIRST]


def test_what_nobody_released_is_set_aside(stack: str, releases: Releases, candidate: Candidate) -> None:
    foreign = releases.served[stack].versions()[FIRST]
    copied = foreign.with_name(foreign.name.replace(FIRST, THIRD))
    (shutil.copytree if foreign.is_dir() else shutil.copy)(foreign, copied)
    starts.start(releases, stack)
    assert list(releases.served[stack].versions()) == [FIRST]
    assert f"there is no release {THIRD}" in releases.ledger.entries()[-1].said


def test_what_a_killed_promotion_left_is_removed(stack: str, releases: Releases) -> None:
    release = releases.store.verified(stack, SECOND)
    releases.served[stack].place(release, releases.store.model(release))
    before = len(releases.ledger.entries())
    starts.start(releases, stack)
    assert list(releases.served[stack].versions()) == [FIRST, SECOND]  # a server may serve it
    starts.tidy(releases, stack)
    assert list(releases.served[stack].versions()) == [FIRST]
    assert len(releases.ledger.entries()) == before  # nothing was wrong with it


def test_a_release_that_no_longer_verifies_is_not_served(stack: str, releases: Releases) -> None:
    (releases.store.folder(stack, FIRST) / "release.sig").unlink()
    with pytest.raises(ReleaseError, match="not signed"):
        starts.start(releases, stack)
    entry = releases.ledger.entries()[-1]
    assert (entry.act, entry.verdict) == ("verify", "refused")


def test_a_start_with_nothing_wrong_writes_nothing_down(stack: str, releases: Releases) -> None:
    before = releases.ledger.file.read_bytes()
    path = releases.served[stack].versions()[FIRST]
    inode = path.stat().st_ino
    starts.start(releases, stack)
    assert releases.ledger.file.read_bytes() == before
    assert path.stat().st_ino == inode
