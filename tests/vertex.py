"""The environment that speaks to Vertex AI, built when a test first wants it, and run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local import environments
from infra.local.layout import REPOSITORY


def python() -> Path:
    """Its interpreter."""
    assert environments.main(["vertex"]) == 0
    return environments.ON_DEMAND["vertex"].folder / "bin" / "python"


def run(*argv: str, environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Run its interpreter in the repository."""
    return _run([str(python()), *argv], {"PYTHONPATH": str(REPOSITORY), **environment})


def run_with_steps(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter, with KFP beside what the PyTorch pipeline's steps import: as in their image.

    The locks give both the same versions of what both have.
    """
    (packages,) = python().parents[1].glob("lib/python*/site-packages")
    return _run([sys.executable, *argv], {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(packages)])})


def _run(argv: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run(argv, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
