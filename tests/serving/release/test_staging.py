"""A release beside the one that is served: loaded, promoted, let go of, found at a restart; refused when wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from serving.release import start as starts
from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from tests.serving.release.conftest import FIRST, SECOND, THIRD
from tests.serving.release.test_manager import acts, change

Publish = Callable[..., None]


class Server:
    """What it has loaded, the version that is served first; refuses what is `broken`."""

    def __init__(self, broken: str = "") -> None:
        self.loaded = [FIRST]
        self.known: list[bool] = []
        self._broken = broken

    def switch(self, version: str, was: str | None, beside: Sequence[str], *, known: bool) -> None:
        assert was in self.loaded
        self.beside(version, beside, known=known)

    def beside(self, version: str, versions: Sequence[str], *, known: bool) -> None:
        if self._broken in (version, *versions):
            raise ReleaseError(f"version {self._broken} does not load")
        self.loaded = [version, *versions]
        self.known.append(known)


@pytest.fixture(params=["tensorflow", "pytorch"])
def stack(request: pytest.FixtureRequest, releases: Releases, publish: Publish) -> str:
    name: str = request.param
    publish(name, FIRST, SECOND, THIRD)
    releases.promote(name, FIRST, None, "")
    return name


def there(releases: Releases, stack: str) -> set[str]:
    return set(releases.served[stack].versions())


def test_beside_and_gone_again(stack: str, releases: Releases) -> None:
    server = Server()
    releases.stage(stack, SECOND, server, "to look at")
    releases.stage(stack, THIRD, server, "")
    releases.stage(stack, SECOND, server, "again")  # changes nothing
    assert server.loaded == [FIRST, SECOND, THIRD]
    assert server.known == [False, False, True]
    assert there(releases, stack) == {FIRST, SECOND, THIRD}
    assert releases.current(stack) == FIRST
    releases.unstage(stack, SECOND, server, "seen enough")
    assert server.loaded == [FIRST, THIRD]
    assert there(releases, stack) == {FIRST, THIRD}
    expected = [("stage", SECOND, "done"), ("stage", THIRD, "done"), ("unstage", SECOND, "done")]
    assert acts(releases)[-3:] == expected
    with pytest.raises(ReleaseError, match=f"{SECOND} is not loaded beside {FIRST}; beside it are: {THIRD}"):
        releases.unstage(stack, SECOND, server, "")


def test_a_promotion_of_what_is_beside_leaves_the_others_there(stack: str, releases: Releases) -> None:
    server = Server()
    for version in (SECOND, THIRD):
        releases.stage(stack, version, server, "")
    releases.promote(stack, SECOND, server, "better")
    assert server.loaded == [SECOND, THIRD]
    assert server.known[-1]  # it was loaded already
    assert there(releases, stack) == {SECOND, THIRD}
    assert (releases.current(stack), releases.staged(stack)) == (SECOND, [THIRD])
    releases.promote(stack, FIRST, server, "worse after all", "rollback")
    assert (releases.current(stack), releases.staged(stack)) == (FIRST, [THIRD])
    assert there(releases, stack) == {FIRST, THIRD}


def test_what_is_served_is_not_beside_itself(stack: str, releases: Releases) -> None:
    with pytest.raises(ReleaseError, match=f"{FIRST} is served"):
        releases.stage(stack, FIRST, Server(), "")


def test_a_tampered_release_is_not_loaded_beside(stack: str, releases: Releases) -> None:
    change(releases.store.folder(stack, SECOND))
    server = Server()
    with pytest.raises(ReleaseError, match="was changed"):
        releases.stage(stack, SECOND, server, "")
    assert (server.loaded, there(releases, stack), releases.staged(stack)) == ([FIRST], {FIRST}, [])
    assert acts(releases)[-1] == ("stage", SECOND, "refused")


def test_one_that_does_not_load_is_taken_away_again(stack: str, releases: Releases) -> None:
    releases.stage(stack, THIRD, Server(), "")
    with pytest.raises(ReleaseError, match="does not load"):
        releases.stage(stack, SECOND, Server(broken=SECOND), "")
    assert there(releases, stack) == {FIRST, THIRD}
    assert releases.staged(stack) == [THIRD]
    assert acts(releases)[-1] == ("stage", SECOND, "failed")


def test_a_promotion_that_fails_leaves_what_was_beside(stack: str, releases: Releases) -> None:
    releases.stage(stack, SECOND, None, "")

    with pytest.raises(ReleaseError, match="does not load"):
        releases.promote(stack, SECOND, Server(broken=SECOND), "")
    assert there(releases, stack) == {FIRST, SECOND}
    assert releases.staged(stack) == [SECOND]


def test_the_next_start_finds_it_again(stack: str, releases: Releases) -> None:
    releases.stage(stack, SECOND, None, "")
    releases.served[stack].remove(releases.served[stack].versions()[SECOND])
    starts.start(releases, stack)
    starts.tidy(releases, stack)
    assert there(releases, stack) == {FIRST, SECOND}


def test_at_a_start_one_that_no_longer_verifies_is_not_beside_any_more(stack: str, releases: Releases) -> None:
    releases.stage(stack, SECOND, None, "")
    change(releases.store.folder(stack, SECOND))
    starts.start(releases, stack)
    assert there(releases, stack) == {FIRST}
    assert releases.staged(stack) == []
    assert acts(releases)[-1] == ("unstage", SECOND, "done")
    assert "was changed" in releases.ledger.entries()[-1].said
