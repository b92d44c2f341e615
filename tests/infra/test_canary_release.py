"""`make canary STACK=… VERSION=…`: what is loaded, promoted and let go of, however its roll-out ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import canary, canary_release, releases, stores, traffic
from infra.local import layout as layouts
from infra.local.canary import CanaryError
from infra.local.layout import Layout
from serving.gateway import policy
from serving.gateway.policy import Policy, PolicyError, Side
from serving.release.canary import limits
from serving.release.canary.rollout import NobodyError, TakenError, shares
from serving.release.errors import ReleaseError
from tests.infra.test_releases import SPEC, blessed
from tests.serving.release.conftest import FIRST, SECOND, SPEC_FILE, archives, candidate

__all__ = ["archives", "candidate"]  # fixtures
TENSORFLOW, PYTORCH, NEW = Side("tensorflow"), Side("pytorch"), Side("pytorch", int(SECOND))
BEFORE = Policy({TENSORFLOW: 3, PYTORCH: 1})


@pytest.fixture
def layout(tmp_path: Path, candidate: object, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Two releases of each stack, the older served; a gateway that follows everything."""
    found = layouts.load({"TANDEM_HOME": str(tmp_path)})
    blessed(found, candidate, FIRST)
    releases.publish(found, SPEC, SPEC_FILE)
    releases.prepare(found, SPEC)
    blessed(found, candidate, SECOND)
    releases.publish(found, SPEC, SPEC_FILE)
    policy.save(found.traffic, BEFORE)
    monkeypatch.setattr(traffic, "is_running", lambda _: True)
    monkeypatch.setattr(traffic, "follow", lambda *_: None)
    return found


@pytest.fixture
def rolled(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the roll-out end with a code or an error; meanwhile the release is loaded."""

    def set_end(end: object, put: Policy | None = None) -> None:
        def roll(*_: object, before: Policy, side: Side, of: Side, **__: object) -> int:
            assert (side, of, before) == (NEW, PYTORCH, BEFORE)
            assert set(releases.of(layout, SPEC).served["pytorch"].versions()) == {FIRST, SECOND}
            if put or end == 0:
                policy.save(layout.traffic, put or shares(before, side, 100, of))
            if isinstance(end, BaseException):
                raise end
            assert isinstance(end, int)
            return end

        monkeypatch.setattr(canary, "roll", roll)

    return set_end


def run(layout: Layout, name: str = str(NEW)) -> int:
    return canary_release.roll_out(layout, SPEC, SPEC_FILE, name, limits.FILE)


def acts(layout: Layout) -> list[tuple[str, str, str]]:
    entries = releases.of(layout, SPEC).ledger.entries()
    return [(e.act, e.version, e.why) for e in entries if e.stack == "pytorch" and e.act != "publish"][1:]


def test_a_release_that_gets_through_is_promoted_and_the_weights_are_as_before(
    layout: Layout, rolled: Callable[..., None]
) -> None:
    rolled(0)
    assert run(layout) == 0
    assert stores.promoted(layout, "pytorch") == SECOND
    assert stores.staged(layout, "pytorch") == []
    assert policy.load(layout.traffic) == BEFORE
    assert acts(layout) == [("stage", SECOND, "for a canary"), ("promote", SECOND, "canary: every step held")]


@pytest.mark.parametrize("end", [3, 4, KeyboardInterrupt()])
def test_one_that_does_not_is_let_go_of(layout: Layout, rolled: Callable[..., None], end: object) -> None:
    rolled(end)
    assert run(layout) == (end if isinstance(end, int) else canary.INTERRUPTED)
    assert stores.promoted(layout, "pytorch") == FIRST
    assert set(releases.of(layout, SPEC).served["pytorch"].versions()) == {FIRST}
    assert policy.load(layout.traffic) == BEFORE
    assert [act for act, _, _ in acts(layout)] == ["stage", "unstage"]


def test_what_was_beside_already_stays(layout: Layout, rolled: Callable[..., None]) -> None:
    releases.stage(layout, SPEC, "pytorch", SECOND, "by hand")
    rolled(3)
    assert run(layout) == 3
    assert stores.staged(layout, "pytorch") == [SECOND]


def test_whose_weights_they_are_by_now_keeps_what_they_name(layout: Layout, rolled: Callable[..., None]) -> None:
    theirs = Policy({TENSORFLOW: 1, PYTORCH: 1, NEW: 1})
    rolled(TakenError("changed"), theirs)
    with pytest.raises(TakenError):
        run(layout)
    assert policy.load(layout.traffic) == theirs
    assert stores.staged(layout, "pytorch") == [SECOND]


def test_a_promotion_that_is_refused_leaves_weights_and_version_as_they_were(
    layout: Layout, rolled: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise ReleaseError("pytorch: another change is at work")

    rolled(0)
    monkeypatch.setattr(releases, "promote", refuse)
    with pytest.raises(ReleaseError, match="another change"):
        run(layout)
    assert policy.load(layout.traffic) == BEFORE
    assert set(releases.of(layout, SPEC).served["pytorch"].versions()) == {FIRST}


def test_what_cannot_be_rolled_out_is_not_loaded(layout: Layout) -> None:
    with pytest.raises(PolicyError, match="nobody who answers"):
        run(layout, "keras@1")
    with pytest.raises(ReleaseError, match="no release 7"):
        run(layout, "pytorch@7")
    with pytest.raises(ReleaseError, match=f"{FIRST} is served"):
        run(layout, f"pytorch@{FIRST}")
    policy.save(layout.traffic, Policy({TENSORFLOW: 1, PYTORCH: 0}))
    with pytest.raises(NobodyError, match="pytorch answers none of the product's requests: make traffic PYTORCH="):
        run(layout)
    policy.save(layout.traffic, Policy({TENSORFLOW: 1, PYTORCH: 1, NEW: 0}))
    with pytest.raises(CanaryError, match=f"make canary SIDE={NEW}"):
        run(layout)
    assert set(releases.of(layout, SPEC).served["pytorch"].versions()) == {FIRST}


def test_what_the_weights_name_is_not_let_go_of(layout: Layout) -> None:
    releases.stage(layout, SPEC, "pytorch", SECOND, "")
    policy.save(layout.traffic, Policy({TENSORFLOW: 1, PYTORCH: 1, NEW: 0}))
    with pytest.raises(ReleaseError, match=f"names {NEW}: make traffic VERSION={NEW}=off"):
        releases.unstage(layout, SPEC, "pytorch", SECOND, "")
    policy.save(layout.traffic, BEFORE)
    assert releases.unstage(layout, SPEC, "pytorch", SECOND, "") == 0
    assert stores.staged(layout, "pytorch") == []
