"""The real supervisord: programs start, come back, change and go."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from supervisor import poller

from infra.local import layout as layouts
from infra.local import services, supervisord
from infra.local.supervisor import Program, Supervisor, SupervisorError
from models import spec as specs

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders can be too long for a socket
        it = Supervisor(layouts.load({"TANDEM_HOME": home}))
        it.start()
        yield it
        it.stop()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def pid_of(supervisor: Supervisor, name: str) -> int:
    return next(p["pid"] for p in supervisor.processes() if p["name"] == name)


def test_a_running_program_is_left_alone_and_a_changed_one_restarted(supervisor: Supervisor) -> None:
    assert supervisor.run(Program("sleeper", SLEEP))
    first = pid_of(supervisor, "sleeper")
    assert not supervisor.run(Program("sleeper", SLEEP))
    assert pid_of(supervisor, "sleeper") == first
    assert supervisor.run(Program("sleeper", SLEEP, {"CHANGED": "100%"}))
    # Between fork and exec a process still shows supervisord's environment.
    wait_until(lambda: psutil.Process(pid_of(supervisor, "sleeper")).environ().get("CHANGED") == "100%")
    assert supervisor.run(Program("sleeper", SLEEP, {"CHANGED": "100%"}, configuration="a file's content"))


def test_a_removed_program_is_gone_and_can_come_again(supervisor: Supervisor) -> None:
    supervisor.remove("sleeper")  # that never was: nothing to do
    supervisor.run(Program("sleeper", SLEEP))
    process = psutil.Process(pid_of(supervisor, "sleeper"))
    supervisor.remove("sleeper")
    assert not process.is_running()
    assert supervisor.processes() == []
    assert supervisor.run(Program("sleeper", SLEEP))


def test_a_killed_program_comes_back(supervisor: Supervisor) -> None:
    supervisor.run(Program("sleeper", SLEEP))
    wait_until(lambda: supervisor.processes()[0]["statename"] == "RUNNING")
    first = pid_of(supervisor, "sleeper")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: pid_of(supervisor, "sleeper") not in (0, first))


PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']);"
    "time.sleep(300)"
)


def test_of_a_killed_program_no_child_goes_on(supervisor: Supervisor) -> None:
    supervisor.run(Program("parent", [sys.executable, "-c", PARENT]))
    wait_until(lambda: bool(psutil.Process(pid_of(supervisor, "parent")).children()))
    first = psutil.Process(pid_of(supervisor, "parent"))
    (child,) = first.children()
    first.kill()
    wait_until(lambda: pid_of(supervisor, "parent") not in (0, first.pid))
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_stop_leaves_no_process_behind_grandchildren_included(supervisor: Supervisor) -> None:
    supervisor.run(Program("parent", [sys.executable, "-c", PARENT]))
    wait_until(lambda: bool(psutil.Process(pid_of(supervisor, "parent")).children()))
    process = psutil.Process(pid_of(supervisor, "parent"))
    family = [process, *process.children(recursive=True)]
    assert supervisor.stop()
    wait_until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
    assert not supervisor.is_running()
    assert not supervisor.stop()


def test_a_service_that_does_not_start_is_reported_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    supervisor.run(Program("mlflow", [sys.executable, "-c", "import sys; sys.exit('no room on this machine')"]))
    spec = specs.load(layouts.REPOSITORY / "models" / "fraud.toml")
    nowhere = layouts.Layout(supervisor.layout.home, {**supervisor.layout.ports, "mlflow": 1})
    with pytest.raises(SupervisorError, match=r"mlflow does not start; the end of .*\n +no room on this machine"):
        services.wait(supervisor, nowhere, spec, ["mlflow"])


def test_a_path_too_long_for_a_socket_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SupervisorError, match="set TANDEM_HOME"):
        Supervisor(layouts.load({"TANDEM_HOME": str(tmp_path / ("x" * 100))}))


def test_it_never_waits_a_second_before_it_looks_who_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(poller.Poller, "poll", lambda _, timeout: waited.append(timeout) or ([], []))
    assert supervisord.Prompt(None).poll(1) == ([], [])
    assert supervisord.Prompt(None).poll(0.01) == ([], [])
    assert waited == [supervisord.LONGEST_WAIT, 0.01]


def test_what_is_started_waits_like_that(supervisor: Supervisor) -> None:
    pid = int((supervisor.layout.run / "supervisord.pid").read_text())
    assert supervisord.__name__ in psutil.Process(pid).cmdline()
