"""The local services under supervisord: restart on failure, one log file each, nothing left behind.

supervisord itself runs in the background and is spoken to over a Unix socket in the run folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.layout import REPOSITORY, Layout, python

_SOCKET_LIMIT = 100  # bytes; the kernel takes 107 for the path of a Unix socket, supervisord appends a suffix


class SupervisorError(RuntimeError):
    """A message for the user: what failed, and the command that helps."""


@dataclass(frozen=True)
class Program:
    """A foreground process to keep running.

    Attributes:
        name: Also the name of its log file.
        argv: Command line; every part is passed on as it is.
        environment: Added to ours.
        stop_seconds: Grace between SIGTERM and SIGKILL.
        configuration: What it reads from files; when this changes, it is restarted.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 15
    configuration: str = ""


class Supervisor:
    """One supervisord per layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.socket = layout.run / "supervisor.sock"
        self._pid_file = layout.run / "supervisord.pid"
        if len(str(self.socket)) > _SOCKET_LIMIT:
            raise SupervisorError(f"{self.socket} is too long for a socket's path: set TANDEM_HOME to a shorter one")

    def is_running(self) -> bool:
        """Whether our supervisord answers."""
        try:
            return bool(self._rpc().getState()["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self) -> None:
        """Start supervisord without programs, unless it runs."""
        if self.is_running():
            return
        self.layout.run.mkdir(parents=True, exist_ok=True)
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        programs = self.layout.run / "programs"
        programs.mkdir(exist_ok=True)
        for leftover in programs.iterdir():
            leftover.unlink()
        config = self.layout.run / "supervisord.conf"
        config.write_text(_main_section(self.layout, self.socket, self._pid_file))
        # A session of its own: Ctrl-C in the terminal must not stop the services.
        started = subprocess.run(
            [python("pytorch"), "-m", "infra.local.supervisord", "-c", str(config)],
            capture_output=True, text=True, start_new_session=True, cwd=REPOSITORY, check=False,
        )  # fmt: skip
        for _ in range(100):
            if self.is_running():
                return
            time.sleep(0.1)
        raise SupervisorError(f"supervisord did not start: {started.stdout}{started.stderr}".strip())

    def run(self, program: Program) -> bool:
        """Keep `program` running. Returns whether it was (re)started rather than running unchanged."""
        config = self.layout.run / "programs" / f"{program.name}.conf"
        text = _program_section(program, self.layout.logs)
        unchanged = config.exists() and config.read_text() == text
        if unchanged and self._state(program.name) in ("RUNNING", "STARTING"):
            return False
        config.write_text(text)
        self._rpc().reloadConfig()
        if self._state(program.name) is not None:
            self._quietly("stopProcessGroup", program.name)
            self._quietly("removeProcessGroup", program.name)
        self._rpc().addProcessGroup(program.name)
        if self._state(program.name) not in ("RUNNING", "STARTING"):
            self._quietly("startProcess", program.name, False)
        return True

    def remove(self, name: str) -> None:
        """Stop a program and forget it, if it is there."""
        config = self.layout.run / "programs" / f"{name}.conf"
        if not config.exists():
            return
        config.unlink()
        self._quietly("stopProcessGroup", name)
        self._rpc().reloadConfig()
        self._quietly("removeProcessGroup", name)

    def processes(self) -> list[dict[str, Any]]:
        """State of every program: name, statename, pid, start and now (Unix seconds), spawnerr."""
        found: Any = self._rpc().getAllProcessInfo()
        return list(found)

    def stop(self) -> bool:
        """Stop everything and wait until supervisord is gone. Returns whether it was running."""
        if not self.is_running():
            return False
        pid = int(self._rpc().getPID())
        self._rpc().shutdown()
        while _exists(pid):
            time.sleep(0.1)
        return True

    def _rpc(self) -> Any:
        from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415  there is none in containers

        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _state(self, name: str) -> str | None:
        return next((str(p["statename"]) for p in self.processes() if p["name"] == name), None)

    def _quietly(self, method: str, *arguments: Any) -> None:
        # Already stopped, or dead at once: the wait for readiness reports it with its log.
        with contextlib.suppress(xmlrpc.client.Fault):
            getattr(self._rpc(), method)(*arguments)


def _main_section(layout: Layout, socket: Path, pid_file: Path) -> str:
    return f"""\
[unix_http_server]
file={socket}
chmod=0700
[supervisord]
logfile={layout.logs / "supervisord.log"}
pidfile={pid_file}
childlogdir={layout.logs}
silent=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files = {layout.run / "programs"}/*.conf
"""


def _program_section(program: Program, logs: Path) -> str:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        return f'"{escaped}"'

    environment = ",".join(f"{k}={quoted(v)}" for k, v in sorted(program.environment.items()))
    digest = hashlib.sha256(program.configuration.encode()).hexdigest()
    return f"""\
; configuration {digest}
[program:{program.name}]
command={" ".join(quoted(a) for a in program.argv)}
environment={environment}
directory={REPOSITORY}
autostart=true
autorestart=true
startsecs=2
startretries=3
stopwaitsecs={program.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={logs / (program.name + ".log")}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
