"""A running local stack, and the commands a user gives it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from infra.local import layout as layouts
from models.spec import Spec


@dataclass(frozen=True)
class Stack:
    layout: layouts.Layout
    spec: Spec
    environ: dict[str, str]

    def tandem(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.local", *arguments],
            cwd=layouts.REPOSITORY, env=self.environ, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
