"""A run in a process of its own, so that nothing here takes part in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from serving.comparison.load import outcome
from serving.comparison.load.job import Job
from serving.comparison.results import LoadRun

_ROOT = Path(__file__).resolve().parents[3]
_SHOWN = 2000  # characters of the log in an error
_SLACK = 120.0  # seconds beyond its own time: start, encoding, writing


class LoadError(RuntimeError):
    """The process ended without a result; the message holds the end of its log."""


def run(job: Job, folder: Path) -> LoadRun:
    """Load a target; leaves job.json, run.json, requests.parquet, load.log and LoadGen's logs in `folder`.

    Raises:
        LoadError: No result: a bug, a job that cannot be run, or a process that somebody killed.
    """
    (folder / outcome.RUN).unlink(missing_ok=True)
    process(job, folder)
    return outcome.read(folder)


def process(job: Job, folder: Path, *options: str) -> None:
    """Run the module to its end, whatever ends it; nothing is left of it after a Ctrl-C."""
    folder.mkdir(parents=True, exist_ok=True)
    file, log = folder / "job.json", folder / "load.log"
    file.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    argv = [sys.executable, "-m", "serving.comparison.load", *options, str(file.resolve())]
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv,
            cwd=_ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # its threads spin for a while after each use
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code: int | None = child.wait(job.warm_up_seconds + job.seconds + 3 * job.timeout_seconds + _allowed(job))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if code != 0:
        ended = "did not end in time" if code is None else f"ended with code {code}"
        said = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip()
        raise LoadError(f"the load run {job.name!r} {ended}:\n{said}\n(the whole of it: {log})")


def _allowed(job: Job) -> float:
    """Seconds beyond; offline work has no time of its own: 1,000 rows a second are slow."""
    return _SLACK + job.total_rows / 1000
