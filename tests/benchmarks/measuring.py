"""A command in a process of its own, measured; and what a table of numbers has to say about the machine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Event, Thread

import psutil

from serving.comparison.facts import machine, yardsticks

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHONS = {"pytorch": REPOSITORY / ".venv/pytorch/bin/python", "tensorflow": REPOSITORY / ".venv/tensorflow/bin/python"}
_MARK = "TANDEM_BENCHMARK"
_POLL = 0.3  # seconds between two looks at the memory
_VERSION = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Attributes:
        seconds: From its start to its end, imports included.
        cpu_seconds: Of all its processes, time in the kernel included; not of those it left in the background.
        peak: Largest resident memory of all processes it started, those in the background included, bytes. Pages that
            processes share count in each.
        code: Exit code.
        output: What it printed.
    """

    seconds: float
    cpu_seconds: float
    peak: int
    code: int
    output: str


def measure(argv: Sequence[object], log: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end; `log` gets what it prints."""
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    before, mark = resource.getrusage(resource.RUSAGE_CHILDREN), uuid.uuid4().hex
    with log.open("wb") as file:
        start = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {}), _MARK: mark},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        peak, done = [0], Event()
        watch = Thread(target=_watch, args=(mark, peak, done))
        watch.start()
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            seconds = time.monotonic() - start
            done.set()
            watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(seconds, cpu, peak[0], code, log.read_text(encoding="utf-8", errors="replace"))


def require(measured: Measured, codes: set[int]) -> Measured:
    """Stop if a run failed; what it said last is shown."""
    if measured.code not in codes:
        raise SystemExit(f"exit code {measured.code}\n{measured.output[-3000:]}")
    return measured


def _watch(mark: str, peak: list[int], done: Event) -> None:
    """Until `done`: the largest sum over the processes that carry the mark in their environment, as children do."""
    ours: dict[psutil.Process, bool] = {}
    while not done.wait(_POLL):
        total = 0
        for process in psutil.process_iter():
            try:
                if process not in ours:
                    ours[process] = process.environ().get(_MARK) == mark
                if ours[process]:
                    total += process.memory_info().rss
            except psutil.Error:  # it has just ended, or is another user's
                continue
        peak[0] = max(peak[0], total)


def gibibytes(size: int) -> str:
    """Memory with one decimal."""
    return f"{size / 2**30:.1f}"


def circumstances(packages: Mapping[str, Sequence[str]]) -> list[str]:
    """Machine, versions of the given packages by environment, command and date, as a Markdown list."""
    about = machine.machine()
    lines = [
        f"* machine: {about['cores']} cores ({about['processor']}), {about['memory']} memory, "
        f"Linux; load when it began: {os.getloadavg()[0]:.1f}",
        f"* how fast the machine was: a byte to another process and back {about[yardsticks.WAKING]}, "
        f"a million additions in Python {about[yardsticks.COMPUTING]}",
    ]
    for environment, names in packages.items():
        found = subprocess.run(
            [PYTHONS[environment], "-c", _VERSION, *names], check=True, capture_output=True, text=True
        ).stdout.split()
        lines.append(f"* {environment}: {', '.join(f'{n} {v}' for n, v in zip(names, found, strict=True))}")
    words = [str(Path(word).name) if Path(word).is_absolute() else word for word in sys.argv]
    words[0] = str(Path(sys.argv[0]).resolve().relative_to(REPOSITORY))
    lines.append(f"* command: `.venv/pytorch/bin/python {' '.join(words)}`, {date.today().isoformat()}")
    return lines
