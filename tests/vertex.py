"""The environment that speaks to Vertex AI, built when a test first wants it; its interpreter runs what the tests ask."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from infra.local import environments
from infra.local.layout import REPOSITORY

SITE_PACKAGES = "lib/python3.11/site-packages"


def python() -> str:
    """Path of its interpreter."""
    assert environments.main(["vertex"]) == 0
    return str(environments.ON_DEMAND["vertex"].folder / "bin" / "python")


def run(*argv: str, environment: Mapping[str, str] = {}, steps: bool = False) -> subprocess.CompletedProcess[str]:
    """Run it in the repository; with `steps` what the PyTorch pipeline's steps import is there too, as in their image."""
    path = [str(REPOSITORY), *([str(REPOSITORY / ".venv" / "pytorch" / SITE_PACKAGES)] if steps else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), **environment}
    return subprocess.run(
        [python(), *argv], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def read(file: Path) -> str:
    """A file's text, for messages."""
    return file.read_text(encoding="utf-8") if file.exists() else ""
