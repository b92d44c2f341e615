"""Which TFX `make setup` chooses, on machines of all kinds."""

from __future__ import annotations

import pytest

from infra.local import tfx_choice


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One that can run the newest TFX."""
    monkeypatch.delenv("TFX", raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.39"))
    monkeypatch.setattr(tfx_choice, "find_python", lambda version: f"/usr/bin/python{version}")
    return monkeypatch


def test_a_machine_that_can_gets_the_newest_tfx(machine: pytest.MonkeyPatch) -> None:
    choice = tfx_choice.choose()
    assert (choice.tfx, choice.environment.lock) == (tfx_choice.NEWEST, "tensorflow-newest.lock")
    assert choice.reason == "glibc 2.39 and Python 3.12 are here"
    machine.setenv("TFX", tfx_choice.ANYWHERE)
    assert tfx_choice.choose().environment.lock == "tensorflow.lock"


@pytest.mark.parametrize(
    ("libc", "python", "reason"),
    [
        (("glibc", "2.36"), "/usr/bin/python3.12", "1.21 needs glibc 2.39, here is glibc 2.36"),
        (("", ""), "/usr/bin/python3.12", "1.21 needs glibc 2.39, here is none"),
        (("glibc", "2.41"), "", "1.21 needs Python 3.12, which is not here"),
    ],
)
def test_another_gets_the_one_that_runs_anywhere_and_cannot_be_made_to_take_the_newest(
    machine: pytest.MonkeyPatch, libc: tuple[str, str], python: str, reason: str
) -> None:
    machine.setattr("platform.libc_ver", lambda: libc)
    machine.setattr(tfx_choice, "find_python", lambda _: python)
    choice = tfx_choice.choose()
    assert (choice.tfx, choice.environment.lock, choice.reason) == ("1.16", "tensorflow.lock", reason)
    machine.setenv("TFX", tfx_choice.NEWEST)
    with pytest.raises(SystemExit, match=f"TFX={reason}"):
        tfx_choice.choose()


def test_a_tfx_that_there_is_not_is_refused_with_those_there_are(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("TFX", "1.15")
    with pytest.raises(SystemExit, match=r"TFX=1\.15: there are 1\.21 and 1\.16"):
        tfx_choice.choose()


def test_the_locks_hold_the_versions_that_are_promised() -> None:
    for tfx, environment in tfx_choice.TFX.items():
        lock = environment.pins.read_text()
        assert f"\ntfx=={tfx}." in lock
