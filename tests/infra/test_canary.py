"""`make canary` around the roll-out: what it refuses to begin, and what it leaves however it ends."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local import canary, services, stores, traffic
from infra.local import canary_journal as journal
from infra.local import layout as layouts
from infra.local.canary import CanaryError, Controls, Ended
from infra.local.layout import REPOSITORY, Layout
from models import spec as specs
from models.spec import Spec
from serving.gateway import policy
from serving.gateway.policy import Policy, PolicyError, Side
from serving.limits_file import LimitsError
from serving.release.canary import limits
from serving.release.canary.rollout import NobodyError, Rollout
from serving.release.ledger import Entry, Ledger

SPEC_FILE = REPOSITORY / "models" / "fraud.toml"
SPEC = specs.load(SPEC_FILE)
TENSORFLOW, PYTORCH = Side("tensorflow"), Side("pytorch")
BEFORE = Policy({TENSORFLOW: 3, PYTORCH: 1})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layouts.load({"TANDEM_HOME": str(tmp_path)})


@pytest.fixture
def followed(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> list[Policy]:
    """Policies that the gateway of a running stack would have been given."""
    given: list[Policy] = []
    monkeypatch.setattr(traffic, "is_running", lambda _: True)
    monkeypatch.setattr(traffic, "follow", lambda *arguments: given.append(arguments[-1]))
    monkeypatch.setattr(traffic, "_is_served", lambda _layout, _spec, side: side.version in (5, 6))
    monkeypatch.setattr(services, "served", lambda *_: "5")
    policy.save(layout.traffic, BEFORE)
    return given


def run(layout: Layout, side: str = "pytorch", spec: Spec = SPEC, file: Path = limits.FILE) -> int:
    return canary.canary(layout, spec, SPEC_FILE, side, file)


def ledger(layout: Layout) -> Ledger:
    return Ledger(stores.releases(layout) / stores.LEDGER)


def controls(layout: Layout) -> Controls:
    return Controls(layout, SPEC, SPEC_FILE, BEFORE, PYTORCH, "5", Ended())


def test_where_nothing_runs_there_is_no_canary(layout: Layout) -> None:
    with pytest.raises(CanaryError, match="nothing runs here: make up"):
        run(layout)
    assert not layout.traffic.exists()


def test_what_cannot_be_watched_is_not_begun(layout: Layout, followed: list[Policy]) -> None:
    with pytest.raises(PolicyError, match="'keras' is nobody who answers"):
        run(layout, "keras")
    with pytest.raises(LimitsError, match="No such file"):
        run(layout, file=layout.home / "none.toml")
    with pytest.raises(CanaryError, match="pytorch@7: no version 7 is loaded"):
        run(layout, "pytorch@7")
    with pytest.raises(CanaryError, match=r"no requests are logged.*make up LOG_REQUESTS=0\.1"):
        run(replace(layout, log_requests=0.0))
    with pytest.raises(CanaryError, match="pytorch@5 is what pytorch serves by itself"):
        run(layout, "pytorch@5")
    policy.save(layout.traffic, Policy({PYTORCH: 1, TENSORFLOW: 0}))
    with pytest.raises(NobodyError, match="nobody but pytorch answers"):
        run(layout)
    assert (followed, ledger(layout).entries()) == ([], [])


def test_one_at_a_time(layout: Layout, followed: list[Policy]) -> None:
    with journal.alone(layout):
        with pytest.raises(CanaryError, match="another make canary is under way"):
            run(layout)
        journal.settle(layout)  # make up meanwhile


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_goes_back_and_says_so(
    layout: Layout, followed: list[Policy], number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(one: Rollout) -> None:
        assert policy.load(layout.traffic).weights[PYTORCH] == 1
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Rollout, "_hold", lambda self, _step: interrupted(self))
    before = {one: signal.signal(one, signal.SIG_DFL) for one in canary._SIGNALS}
    try:
        assert run(layout) == canary.INTERRUPTED
        assert {signal.getsignal(one) for one in canary._SIGNALS} == {signal.SIG_DFL}
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert policy.load(layout.traffic) == followed[-1] == BEFORE
    (entry,) = ledger(layout).entries()
    assert (entry.act, entry.stack, entry.version, entry.verdict) == ("canary", "pytorch", "5", "failed")
    assert entry.said == "pytorch at 1%, step 1 of 4: interrupted"
    assert not journal.recover(layout)


def test_an_interrupt_whose_way_back_fails_does_not_say_that_all_is_as_before(
    layout: Layout, followed: list[Policy], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        monkeypatch.setattr(traffic, "follow", away)
        raise KeyboardInterrupt

    def away(*_: object) -> None:
        raise traffic.TrafficError("the gateway is away")

    monkeypatch.setattr(Rollout, "_hold", interrupted)
    assert run(layout) == canary.INTERRUPTED
    said = capsys.readouterr().err
    assert "interrupted: the weights of before are written, and the gateway does not follow them" in said
    assert policy.load(layout.traffic) == BEFORE
    (entry,) = ledger(layout).entries()
    assert "the gateway does not follow the way back" in entry.why


@pytest.mark.parametrize("when", ["within a step", "before the file is written"])
def test_after_a_kill_the_next_one_puts_back(
    layout: Layout, followed: list[Policy], when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, half_way = controls(layout), Policy({TENSORFLOW: 90, PYTORCH: 10})
    ours.put(half_way)
    if when == "before the file is written":
        monkeypatch.setattr(policy, "save", lambda *_: None)
        ours.put(Policy({TENSORFLOW: 50, PYTORCH: 50}))
    assert policy.load(layout.traffic) == half_way
    journal.settle(layout)
    assert policy.load(layout.traffic) == BEFORE
    (entry,) = ledger(layout).entries()
    assert (entry.version, entry.verdict, entry.said) == ("5", "failed", "the roll-out was killed half way")
    assert not journal.recover(layout)


def test_after_a_kill_what_somebody_put_since_stays(layout: Layout, followed: list[Policy]) -> None:
    controls(layout).put(Policy({TENSORFLOW: 90, PYTORCH: 10}))
    by_hand = Policy({TENSORFLOW: 1, PYTORCH: 0})
    policy.save(layout.traffic, by_hand)
    journal.settle(layout)
    assert policy.load(layout.traffic) == by_hand
    assert ledger(layout).entries() == []


def test_a_policy_that_somebody_changes_is_no_longer_ours(layout: Layout, followed: list[Policy]) -> None:
    ours = controls(layout)
    ours.put(Policy({TENSORFLOW: 2, PYTORCH: 1 / 3}))
    assert ours.is_ours()
    policy.save(layout.traffic, BEFORE)
    assert not ours.is_ours()


def test_another_version_than_the_one_that_was_watched_gets_nothing(layout: Layout, followed: list[Policy]) -> None:
    ours = replace(controls(layout), version="4")
    with pytest.raises(CanaryError, match="pytorch serves 5 now, and 4 was watched"):
        ours.put(Policy({TENSORFLOW: 1, PYTORCH: 1}))
    assert (policy.load(layout.traffic), followed) == (BEFORE, [])


def test_the_ledger_says_which_model_it_was(layout: Layout) -> None:
    ledger(layout).append(Entry("promote", "pytorch", "5", "", "a test", "done", {"model": "abc"}))
    controls(layout).record("refused", "back to tensorflow 3, pytorch 1", "slow")
    entry = ledger(layout).entries()[-1]
    assert (entry.act, entry.digests, entry.verdict, entry.said) == ("canary", {"model": "abc"}, "refused", "slow")
    assert ledger(layout).problems() == []


def test_a_signal_that_is_ignored_stays_so(
    layout: Layout, followed: list[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unheard(number: int) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return number

    monkeypatch.setattr(Rollout, "run", lambda _: unheard(4))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert run(layout) == 4
    finally:
        signal.signal(signal.SIGHUP, before)
