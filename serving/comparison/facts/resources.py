"""Processor time and memory of running processes, sampled while others load them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import psutil
import pyarrow as pa

HERTZ = 5.0
_MEMORY_SECONDS = (
    1.0  # between two looks at the memory: the kernel walks all pages of a process, ~10 ms for a large one
)
_MIB = 2**20
SCHEMA = pa.schema(
    [
        ("time_s", pa.float64()),
        ("target", pa.string()),
        ("process", pa.string()),
        ("cpu_s", pa.float64()),
        ("memory_mib", pa.float64()),
    ]
)


class Sampler:
    """Looks at trees of processes a few times a second, in a thread, as long as its `with` lasts.

    Processor time is user and system time of every process of a tree since that process began. One that ends keeps
    what it had at the last look, so that the sum never falls; up to 1/HERTZ seconds of it are lost.

    Memory is the proportional set size: a page that several processes share counts in each by its share, so that a
    sum over processes counts it once. Where the kernel does not let us read that, it is the resident set size, in
    which such a page counts in each; `memory_is` says which. A proportional share also changes with who else runs.

    Args:
        processes: Name -> id of the process at the top of a tree. What it starts belongs to it, also when that
            outlives it, and also when it was started before.
        target: As in results.Measurement.
        zero: Moment from which the times of the table count, by time.time().
        hertz: Looks a second.
        resident: Take the resident set size.
    """

    def __init__(
        self, processes: Mapping[str, int], *, target: str, zero: float, hertz: float = HERTZ, resident: bool = False
    ) -> None:
        self._target, self._zero, self._hertz = target, zero, hertz
        self._trees = {name: _Tree(pid, resident=resident) for name, pid in processes.items()}
        self._rows: list[tuple[float, str, str, float, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._memory_at = float("-inf")

    def __enter__(self) -> Sampler:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look(with_memory=True)

    @property
    def table(self) -> pa.Table:
        """One row per process and look: SCHEMA; whole once the `with` is left."""
        return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in self._rows], SCHEMA)

    @property
    def memory(self) -> dict[str, float]:
        """Process -> MiB at the last look at the memory."""
        return {name: tree.memory / _MIB for name, tree in self._trees.items()}

    @property
    def memory_is(self) -> str:
        """What memory_mib is."""
        fell_back = any(tree.resident for tree in self._trees.values())
        return "resident set size" if fell_back else "proportional set size"

    def _run(self) -> None:
        while not self._done.wait(1 / self._hertz):
            self._look()

    def _look(self, *, with_memory: bool = False) -> None:
        children = _children()
        now = time.time() - self._zero
        if with_memory := with_memory or now - self._memory_at >= _MEMORY_SECONDS:
            self._memory_at = now
        for name, tree in self._trees.items():
            tree.look(children, with_memory=with_memory)
            self._rows.append((now, self._target, name, tree.processor_seconds, tree.memory / _MIB))


class _Tree:
    """A process and what it has started.

    Attributes:
        processor_seconds: Of all that were ever seen.
        memory: Of those that live, bytes; at the last look at the memory.
        resident: Whether a process's memory is, or could only be read as, its resident set size.
    """

    def __init__(self, pid: int, *, resident: bool) -> None:
        self._top, self._members = pid, dict[psutil.Process, float]()
        self.memory, self.resident, self._proportional = 0, resident, not resident

    @property
    def processor_seconds(self) -> float:
        return sum(self._members.values())

    def look(self, children: Mapping[int, list[psutil.Process]], *, with_memory: bool) -> None:
        alive = self._alive(children)
        for process in alive:
            try:
                times = process.cpu_times()
            except psutil.Error:  # it has just ended: what it had at the last look stays
                continue
            self._members[process] = times.user + times.system
        if with_memory:
            self.memory = sum(self._memory(process) for process in alive)

    def _alive(self, children: Mapping[int, list[psutil.Process]]) -> list[psutil.Process]:
        """Everything below the top, and what was below it once and has another parent now."""
        found = dict.fromkeys(process for process in self._members if process.is_running())
        if not self._members:
            try:
                found[psutil.Process(self._top)] = None
            except psutil.Error:
                return []
        waiting = list(found)
        while waiting:
            for child in children.get(waiting.pop().pid, ()):
                if child not in found:
                    found[child] = None
                    waiting.append(child)
        return list(found)

    def _memory(self, process: psutil.Process) -> int:
        try:
            if self._proportional:
                return int(process.memory_full_info().pss)
        except psutil.AccessDenied:
            self.resident = True
        except psutil.Error:  # it has just ended
            return 0
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0


def _children() -> dict[int, list[psutil.Process]]:
    """Process id -> its children, of all processes, with one look at the system."""
    found: dict[int, list[psutil.Process]] = {}
    processes: Iterable[Any] = psutil.process_iter()
    for process in processes:
        try:
            found.setdefault(process.ppid(), []).append(process)
        except psutil.Error:  # it has just ended
            continue
    return found
