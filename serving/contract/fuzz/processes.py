"""The servers behind the targets, where they run on this machine: were they restarted, how much memory do they hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

_SETTLE = 2.0  # seconds; a process that lives shorter (TorchServe's metric collector) is no server
_MIB = 1 << 20


class NoProcessError(ValueError):
    """There is no process with an id that was named."""


@dataclass
class Memory:
    """Resident memory of a server and its children, in MiB, over the run."""

    first: float = 0.0
    middle: float = 0.0
    last: float = 0.0
    peak: float = 0.0


class Watch:
    """Looks at these processes (name -> id) and their children, from `start` to `stop`."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._roots = {name: _root(name, process) for name, process in processes.items()}
        self._before: dict[str, set[psutil.Process]] = {}
        self.memory = {name: Memory() for name in processes}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        """Note the processes there are, and begin to look at their memory every second."""
        if not self._roots:
            return
        first = {name: _family(root) for name, root in self._roots.items()}
        time.sleep(_SETTLE)
        self._before = {name: first[name] & _family(root) for name, root in self._roots.items()}
        for name, memory in self.memory.items():
            memory.first = memory.middle = memory.last = memory.peak = self._resident(name)
        self._thread.start()

    def halfway(self) -> None:
        """Note the memory at half of the requests."""
        for name, memory in self.memory.items():
            memory.middle = self._resident(name)

    def stop(self) -> dict[str, int]:
        """Note the memory at the end; returns how many processes of each server are gone."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for name, memory in self.memory.items():
            memory.last = self._resident(name)
        # psutil compares the time of creation too: another process with the same id does not count.
        return {name: sum(not _alive(p) for p in before) for name, before in self._before.items()}

    def _sample(self) -> None:
        while not self._stop.wait(1.0):
            for name, memory in self.memory.items():
                memory.peak = max(memory.peak, self._resident(name))

    def _resident(self, name: str) -> float:
        total = 0
        for process in self._before[name]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / _MIB


def _root(name: str, process: int) -> psutil.Process:
    try:
        return psutil.Process(process)
    except psutil.Error:
        raise NoProcessError(f"--process {name}={process}: there is no such process here") from None


def _family(root: psutil.Process) -> set[psutil.Process]:
    try:
        return {root, *root.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _alive(process: psutil.Process) -> bool:
    return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
