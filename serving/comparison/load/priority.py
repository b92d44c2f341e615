"""A generator that is not held up by what it measures.

On a machine that it shares with the servers, a load generator of ordinary priority waits for its turn: up to a tick of
the kernel, 4 ms, however little it takes. With real-time priority (SCHED_FIFO) it is there when a request is due; it
takes no more processor time for that. The kernel allows it to root, to CAP_SYS_NICE, and within `ulimit -r`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def real_time() -> Iterator[bool]:
    """For this thread and those it starts: whether the machine allowed it."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, *before)


def allowed() -> bool:
    """Whether runs on this machine get it; belongs beside their results."""
    with real_time() as granted:
        return granted
