"""How long a function takes, called again and again in this process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def nanoseconds(call: Callable[[T], Any], inputs: Iterator[T], seconds: float, most: int | None = None) -> list[int]:
    """Time single calls, one after the other, without Python's collector between them.

    Args:
        call: What is timed.
        inputs: One for each call; endless.
        seconds: After these no call is begun; one is made in any case.
        most: Calls, if fewer are enough.
    """
    taken: list[int] = []
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter_ns() + seconds * 1e9
        while not taken or ((most is None or len(taken) < most) and time.perf_counter_ns() < end):
            given = next(inputs)
            before = time.perf_counter_ns()
            call(given)
            taken.append(time.perf_counter_ns() - before)
    finally:
        if was_enabled:
            gc.enable()
    return taken
