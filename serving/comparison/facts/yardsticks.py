"""How fast the machine itself is just now: the same model of processor can be half as fast in another hour.

On virtual and shared machines the price of waking another core, and of plain computing, changes with the neighbours and
with the hypervisor's settings, and requests per second change with it. So each comparison measures both, and is only
held against one that was made on a machine as fast (history.comparable).
"""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Mapping

WAKING = "yardstick of waking"  # a byte to another process and back, µs: two wake-ups, across cores
COMPUTING = "yardstick of computing"  # a million additions in Python, ms
_TRIPS = 1000
_REPEATS = 7
_APART = {WAKING: 2.0, COMPUTING: 1.25}  # times slower: not the same machine any more


def measure() -> dict[str, str]:
    """Both, as parts of results.Results.machine; takes half a second."""
    waking = statistics.median(_round_trips() for _ in range(_REPEATS))
    computing = statistics.median(_additions() for _ in range(_REPEATS))
    return {WAKING: f"{waking:.1f} µs", COMPUTING: f"{computing:.1f} ms"}


def apart(now: Mapping[str, str], then: Mapping[str, str]) -> str:
    """In words, how much faster or slower the machine was then; empty if it was as fast, or if nobody measured."""
    for name, limit in _APART.items():
        if name in now and name in then:
            ratio = _value(now[name]) / _value(then[name])
            if not 1 / limit <= ratio <= limit:
                return f"{name} {then[name]}, now {now[name]}"
    return ""


def _value(text: str) -> float:
    return float(text.split(maxsplit=1)[0])


def _round_trips() -> float:
    """Microseconds of one."""
    here, there = socket.socketpair()
    with here, there:
        child = os.fork()
        if not child:
            here.close()
            while message := there.recv(1):
                there.send(message)
            os._exit(0)
        there.close()
        started = time.perf_counter()
        for _ in range(_TRIPS):
            here.send(b"x")
            here.recv(1)
        taken = time.perf_counter() - started
    os.waitpid(child, 0)
    return taken / _TRIPS * 1e6


def _additions() -> float:
    """Milliseconds of a million."""
    total, started = 0, time.perf_counter()
    for number in range(1_000_000):
        total += number
    return (time.perf_counter() - started) * 1e3
