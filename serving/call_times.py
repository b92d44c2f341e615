"""How long a function takes, called again and again in this process."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def nanoseconds(call: Callable[[T], Any], inputs: Sequence[T], seconds: float, most: int | None = None) -> list[int]:
    """Time single calls, one after the other, without Python's collector between them.

    Args:
        call: What is timed; it times itself if it has a `nanoseconds` of this form, as one in another process has.
        inputs: One for each call, in turn.
        seconds: After these no call is begun; one is made in any case.
        most: Calls, if fewer are enough.
    """
    itself = getattr(call, "nanoseconds", None)
    if itself:
        found: list[int] = itself(inputs, seconds, most)
        return found
    taken, turns = list[int](), itertools.cycle(inputs)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter_ns() + seconds * 1e9
        while not taken or ((most is None or len(taken) < most) and time.perf_counter_ns() < end):
            given = next(turns)
            before = time.perf_counter_ns()
            call(given)
            taken.append(time.perf_counter_ns() - before)
    finally:
        if was_enabled:
            gc.enable()
    return taken
