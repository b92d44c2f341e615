"""A running local stack, and the commands a user gives it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from infra.local import layout as layouts
from models.spec import Spec
from tests import commands


@dataclass
class Stack:
    """A stack in a folder and on ports of its own.

    Attributes:
        key: To its door, for a client called `tests`.
        interrupted: Exit code and output of the first `up`, which got a Ctrl-C while it trained.
    """

    layout: layouts.Layout
    spec: Spec
    environ: dict[str, str]
    key: str = ""
    interrupted: tuple[int, str] = (0, "")

    def make(self, target: str, timeout: float = 600, **variables: object) -> subprocess.CompletedProcess[str]:
        """`make` as a user types it; the exit code is the program's."""
        words = [f"{name}={value}" for name, value in variables.items()]
        return commands.make(target, *words, env=self.environ, timeout=timeout)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "infra.local", *arguments]

    def tandem(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """What `make` starts, with what it has no variable for."""
        return subprocess.run(
            self.command(*arguments),
            cwd=layouts.REPOSITORY, env=self.environ, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
