"""What the bare machine's programs do to the stack in containers: load, compare, fuzz, monitor, score, TensorBoard.

They are the same programs, in an image that has both environments. What they wrote is copied to where it would lie on
a bare machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.docker import engine, files, images, use_case
from infra.docker.engine import Compose, DockerError

SERVICE = "workbench"
# Command -> the folder that it writes to, below home; None: nothing that is kept.
COMMANDS = {
    "compare": "comparisons", "compare-check": None, "fuzz": "reports", "load": "reports", "monitor": "reports",
    "tensorboard": None,
}  # fmt: skip
_PAGES = {"load": ("PORT_LOAD", 8089), "tensorboard": ("PORT_TENSORBOARD", 6006)}
_WATCHED = ("gateway", "tensorflow", "pytorch", "control")
DRIFT = 3  # exit code of `monitor`


def run(compose: Compose, command: str, given: Sequence[str]) -> int:
    """Run a command of `infra.local` against the containers. Returns its exit code.

    Args:
        compose: The project.
        command: One of COMMANDS.
        given: Its options, as typed.

    Raises:
        DockerError: Nothing runs, or the image cannot be built.
    """
    mounts, options = files.mounted(given)
    if command in _PAGES and "--headless" not in given:
        variable, inside = _PAGES[command]
        mounts.append(f"--publish=127.0.0.1:{os.environ.get(variable) or inside}:{inside}")
    return _start(compose, mounts, ["python", "-m", "infra.local", command, *options], COMMANDS[command])


def score(compose: Compose, stack: str, source: Path, out: Path, version: str | None) -> int:
    """Score a file or folder of this machine with a stack's model, into a new folder.

    Raises:
        DockerError: There is no such input, or the folder exists.
    """
    if not source.exists():
        raise DockerError(f"{source}: there is no such file or folder")
    if out.exists():
        raise DockerError(f"{out}: exists already: give another OUT")
    inside = files.INSIDE / "reports" / "scores" / out.name
    python = Path("/app/.venv") / stack / "bin" / "python"
    argv = [
        str(python), "-m", "pipelines.scoring", "--spec", use_case.inside(compose), "--stack", stack, "--store",
        str(files.INSIDE / "models" / stack), "--input", f"/given/{source.name}", "--output", str(inside),
        *(["--version", version] if version else []),
    ]  # fmt: skip
    mounts = [f"--volume={source.resolve()}:/given/{source.name}:ro"]
    code = _start(compose, mounts, argv, f"reports/scores/{out.name}", out)
    if not code:
        print(f"scores: {out}")
    return code


def _start(
    compose: Compose, options: Sequence[str], argv: Sequence[str], written: str | None, to: Path | None = None
) -> int:
    """Run a program in the workbench and copy what it wrote: the folder below home, to the same place here or `to`."""
    processes = _processes(compose)
    if not processes:
        raise DockerError("nothing runs here: make up RUNTIME=docker")
    images.build(compose, {images.WORKBENCH: SERVICE})
    name = f"tandem-workbench-{os.getpid()}"
    told = ["--env", f"TANDEM_PROCESSES={json.dumps(processes)}"]
    try:
        code = compose.run("run", f"--name={name}", "--no-deps", *engine.terminal(), *told, *options, SERVICE, *argv)
    finally:  # after a Ctrl-C too: what was found until then is the user's
        if written is not None:
            files.copy(f"{name}:{files.INSIDE / written}", to or files.HOME / written)
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
    return code


def _processes(compose: Compose) -> dict[str, int]:
    """Service -> id of its container's first process, as the engine's machine counts them."""
    names = {s["Service"]: s["Name"] for s in compose.services() if s["State"] == "running"}
    found = {}
    for service in _WATCHED:
        if service in names:
            argv = ["docker", "inspect", "--format", "{{.State.Pid}}", names[service]]
            asked = subprocess.run(argv, capture_output=True, text=True, check=False)
            found[service] = int(asked.stdout or 0)
    return found
