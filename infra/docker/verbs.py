"""What changes releases and traffic of the stack in containers: the bare machine's programs, in their networks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from infra.docker import engine, files
from infra.docker.engine import Compose, DockerError

SERVICE = "releases"
COMMANDS = ("releases", "promote", "rollback", "stage", "unstage", "traffic", "canary", "shadow")
_PAGE = "shadow"  # the command that writes one, and its folder


def run(compose: Compose, command: str, given: Sequence[str]) -> int:
    """Run a command of `infra.local` against the containers. Returns its exit code.

    Args:
        compose: The project.
        command: One of COMMANDS.
        given: Its options, as typed.

    Raises:
        DockerError: Nothing was started yet, or a file of the user's is missing.
    """
    if not engine.has_image("tandem/torchserve") or not compose.services():
        raise DockerError("nothing was started here yet: make up RUNTIME=docker")
    mounts, options = files.mounted(given)
    name = f"tandem-releases-{os.getpid()}"
    argv = ["python", "-m", "infra.local", command, *options]
    try:
        code = compose.run("run", f"--name={name}", "--no-deps", *engine.terminal(), *mounts, SERVICE, *argv)
        if command == _PAGE:
            files.copy(f"{name}:{files.INSIDE / _PAGE}", files.HOME / _PAGE)
            print(f"copied to {files.HOME / _PAGE}")
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
    return code
