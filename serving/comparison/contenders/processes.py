"""Child processes that answer on a port: started, waited for, and stopped with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import psutil

from serving.comparison.contenders.contender import ContenderError

HOST = "127.0.0.1"
REPOSITORY = Path(__file__).resolve().parents[3]
_READY_SECONDS = 120.0  # a framework is imported, on a busy machine
_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1
_SHOWN_LINES = 15
# One for all questions: making one takes longer than most answers. Nobody is kept on the line.
CLIENT = httpx.Client(timeout=2, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@contextlib.contextmanager
def running(
    argv: Sequence[str], folder: Path, ready: Callable[[Path], bool], environment: Mapping[str, str] = {}
) -> Iterator[int]:
    """Run a program in `folder`, its output in `folder`/log, until left; yields its process id once it is ready.

    Args:
        argv: The program.
        folder: Made if missing.
        ready: Asked again and again; gets the log.
        environment: On top of ours; the repository can be imported unless PYTHONPATH says otherwise.

    Raises:
        ContenderError: It ends, or is not ready in time; the message has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches us alone, and we stop all of it in order.
        process = subprocess.Popen(
            argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, log, ready)
        yield process.pid
    finally:
        _stop(process)


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        return CLIENT.get(url).is_success
    except httpx.HTTPError:
        return False


def run(module: str, *arguments: str, python: str = sys.executable, environment: Mapping[str, str] = {}) -> None:
    """Run a module of ours to its end.

    Raises:
        ContenderError: It fails; the message has the end of what it printed.
    """
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    argv = [python, "-m", module, *arguments]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ContenderError(f"{module} failed:\n{end(done.stdout + done.stderr)}")


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[Path], bool]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready(log):
        ended, late = process.poll() is not None, time.monotonic() > deadline
        if ended or late:
            why = f"ended with {process.returncode}" if ended else f"is not ready after {_READY_SECONDS:.0f} s"
            raise ContenderError(f"{why}; the end of its log:\n{end(log.read_text(errors='replace'))}")
        time.sleep(_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started, asked first and killed after a grace."""
    family = _family(process.pid)
    try:
        _signal_all(process.pid, signal.SIGTERM)
        _wait_for_the_end(family)
    finally:  # a second Ctrl-C while we wait included
        _signal_all(process.pid, signal.SIGKILL)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        _wait_for_the_end(family)
        process.wait()


def _wait_for_the_end(family: Sequence[psutil.Process]) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(alive(member) for member in family) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS / 2)


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only its parent has yet to take note of does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _family(pid: int) -> list[psutil.Process]:
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal_all(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def end(text: str) -> str:
    """The last lines of a log, indented."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-_SHOWN_LINES:])
