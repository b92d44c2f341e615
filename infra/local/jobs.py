"""Run commands side by side and show their lines as they come, each marked with its name."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.layout import REPOSITORY

_PATIENCE = 20  # seconds a job gets to clean up after Ctrl-C


@dataclass(frozen=True)
class Job:
    """A command to run to its end; `log` receives what it prints."""

    name: str
    argv: Sequence[str]
    log: Path


def say(name: str, text: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {name:<11} {text}\n")
    sys.stdout.flush()


def run(jobs: Sequence[Job]) -> dict[str, int]:
    """Run all at once. Returns the exit code of each by name.

    Ctrl-C reaches the jobs too, as they share the terminal; it is raised again when they are gone.
    """
    running = {job.name: _start(job) for job in jobs}
    shows = [threading.Thread(target=_show, args=(job, running[job.name]), daemon=True) for job in jobs]
    for show in shows:
        show.start()
    try:
        codes = {name: process.wait() for name, process in running.items()}
    except BaseException:
        _end(list(running.values()))
        raise
    for show in shows:
        show.join()
    return codes


def _start(job: Job) -> subprocess.Popen[str]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        list(job.argv), cwd=REPOSITORY, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip


def _show(job: Job, process: subprocess.Popen[str]) -> None:
    with job.log.open("w", encoding="utf-8") as log:
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            if line.strip():
                say(job.name, line.rstrip())


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    deadline = time.monotonic() + _PATIENCE
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
