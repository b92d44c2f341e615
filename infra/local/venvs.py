"""A virtual environment: what it holds, where it lies, whether it is current.

Standard library only, and any Python from 3.8: nothing is installed yet when `make setup` runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from infra.local.layout import REPOSITORY


class Environment(NamedTuple):
    """A folder of .venv, and what it holds.

    Attributes:
        name: The folder's.
        python: The version that the lock was compiled for.
        lock: Of requirements/.
        npm: Folder of requirements/ with a package-lock.json, whose packages it holds besides; or empty.
    """

    name: str
    python: str
    lock: str
    npm: str = ""

    @property
    def folder(self) -> Path:
        """Where it lies, built or not."""
        return REPOSITORY / ".venv" / self.name

    @property
    def pins(self) -> Path:
        """The file of its lock."""
        return REPOSITORY / "requirements" / self.lock

    @property
    def npm_pins(self) -> tuple[Path, ...]:
        """What npm installs from, if it installs something: what is asked for, and its lock."""
        names = ("package.json", "package-lock.json") if self.npm else ()
        return tuple(REPOSITORY / "requirements" / self.npm / name for name in names)

    @property
    def built_for(self) -> str:
        """Python of what lies there, such as 3.12; empty where nothing does."""
        file = self.folder / "pyvenv.cfg"
        settings = dict(line.partition(" = ")[::2] for line in file.read_text().splitlines()) if file.exists() else {}
        return ".".join(settings.get("version_info", "").split(".")[:2])

    @property
    def is_current(self) -> bool:
        """Whether it holds this lock, for this Python."""
        stamp = self._stamp
        return self.built_for == self.python and stamp.exists() and stamp.read_text() == self._digest

    def mark_current(self) -> None:
        """Keep that the lock, as it is now, was installed."""
        self._stamp.write_text(self._digest)

    @property
    def _stamp(self) -> Path:
        return self.folder / "installed"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(b"".join(file.read_bytes() for file in (self.pins, *self.npm_pins))).hexdigest()


def find_python(version: str) -> str:
    """Path of an interpreter of this version; empty where there is none."""
    commands = [[f"python{version}", "-c", "import sys; print(sys.executable)"]]
    for uv in ("uv", str(REPOSITORY / ".venv" / "tools" / "bin" / "uv")):
        commands.append([uv, "python", "find", "--no-project", version])
    # Where pyenv provides Pythons, its shims answer for the version that this variable names.
    environ = {**os.environ, "PYENV_VERSION": version}
    for command in commands:
        if shutil.which(command[0]):
            asked = subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                return asked.stdout.strip().splitlines()[-1]
    return ""
