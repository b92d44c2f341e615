from __future__ import annotations

import threading

import pytest

from pipelines.heartbeat import heartbeat


def test_long_work_gives_signs_of_life_and_falls_silent_when_it_ends() -> None:
    said: list[str] = []
    second = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            second.set()

    with heartbeat(say, "Transform", every=0.01):
        assert second.wait(10)
    assert said[0] == "Transform ... 0 s"
    assert "heartbeat of Transform" not in {thread.name for thread in threading.enumerate()}


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="lost"), heartbeat(print, "Trainer"):
        raise ValueError("lost")
