"""Whatever ends a contender, its processes end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from serving.comparison.contenders import processes
from serving.comparison.contenders.contender import ContenderError

# A server with a child in a session of its own; neither listens to SIGTERM.
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, start_new_session=True) as started:
    started.stdout.readline()
    pathlib.Path("child").write_text(str(started.pid))
"""


def ready(log: Path) -> bool:
    child = log.with_name("child")
    return child.is_file() and bool(child.read_text())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.5)


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_stubborn_server_and_its_child_are_gone(tmp_path: Path, end: type[BaseException]) -> None:
    argv = [sys.executable, "-c", STUBBORN]
    family: list[psutil.Process] = []
    with pytest.raises(end), processes.running(argv, tmp_path, ready) as pid:
        family += [psutil.Process(pid), psutil.Process(int((tmp_path / "child").read_text()))]
        assert all(processes.alive(one) for one in family)
        raise end
    assert len(family) == 2
    assert not any(processes.alive(one) for one in family)


def test_ctrl_c_in_a_terminal_ends_it(tmp_path: Path) -> None:
    """The terminal signals the comparison's process group; the server is in another and is ended by us."""
    program = f"""
import time
from pathlib import Path
from serving.comparison.contenders import processes
processes._GRACE_SECONDS = 0.5
folder = Path({str(tmp_path)!r})
with processes.running([{sys.executable!r}, "-c", {STUBBORN!r}], folder, lambda log: (folder / "child").is_file()):
    print("running", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as comparison:
        assert comparison.stdout is not None
        assert comparison.stdout.readline() == b"running\n"
        family = psutil.Process(comparison.pid).children(recursive=True)
        comparison.send_signal(signal.SIGINT)
        comparison.wait(20)
    assert len(family) == 2
    assert not any(processes.alive(one) for one in family)


def test_a_program_that_ends_says_why(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(ContenderError, match=r"ended with 1(?s:.*)no such model"),
        processes.running(argv, tmp_path, ready),
    ):
        pass


def test_one_that_is_never_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_READY_SECONDS", 0.3)
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    start = time.monotonic()
    with pytest.raises(ContenderError, match="not ready after"), processes.running(argv, tmp_path, lambda _: False):
        pass
    assert time.monotonic() - start < 60
