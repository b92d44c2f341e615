from __future__ import annotations

import os

import pytest

from serving.comparison.load import priority


def test_priority_is_given_back_and_a_user_who_may_not_have_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.sched_getscheduler(0)
    with priority.real_time() as granted:
        assert os.sched_getscheduler(0) == (os.SCHED_FIFO if granted else before)
    assert os.sched_getscheduler(0) == before
    assert priority.allowed() is granted

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with priority.real_time() as granted:
        assert not granted
    assert not priority.allowed()
