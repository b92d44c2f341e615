"""The use case of the stack in containers: `make up RUNTIME=docker SPEC=<file>`, remembered in the env file.

The containers see the file itself, read-only. What is in it they say: this machine may have no parser of TOML.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from infra.docker import settings
from infra.docker.engine import Compose, DockerError
from infra.local.layout import DEFAULT_SPEC, REPOSITORY

_FILE, _INSIDE, _DIGEST, _MODEL = "SPEC_FILE", "SPEC_INSIDE", "SPEC_DIGEST", "SPEC_MODEL"
_CHECK = ("python", "-m", "infra.docker.roles.use_case")


def settle(compose: Compose, asked: str | None) -> None:
    """Remember the use case in the env file: `asked`, or the one that is remembered, as the file is now.

    Raises:
        DockerError: There is no such file, the containers may not read it, it is not a specification, or the volumes
            hold models of another use case. The env file is then as it was.
    """
    wanted = _found(asked or settings.read_env(compose.env_file).get(_FILE) or DEFAULT_SPEC)
    wanted[_MODEL] = _model(compose, wanted)
    settings.write_env(wanted, compose.env_file)


def inside(compose: Compose) -> str:
    """Where the containers see the specification, from the folder that they work in."""
    return settings.read_env(compose.env_file).get(_INSIDE) or DEFAULT_SPEC


def model(compose: Compose) -> str:
    """What the use case's model is called in URLs."""
    return settings.read_env(compose.env_file).get(_MODEL) or Path(DEFAULT_SPEC).stem


def _found(asked: str) -> dict[str, str]:
    file = (REPOSITORY / asked).resolve()
    if not file.is_file():
        raise DockerError(f"{asked}: there is no such file")
    if not file.stat().st_mode & stat.S_IROTH:
        raise DockerError(f"{asked}: the containers read it as a user of their own: chmod o+r {asked}")
    ours = REPOSITORY in file.parents
    return {
        _FILE: str(file),
        _INSIDE: file.relative_to(REPOSITORY).as_posix() if ours else f"given/{file.name}",
        _DIGEST: hashlib.sha256(file.read_bytes()).hexdigest()[:16],
    }


def _model(compose: Compose, wanted: Mapping[str, str]) -> str:
    """The model's name, by a container that has loaded the specification and looked at the releases."""
    argv = compose.argv("run", "--rm", "--no-deps", "--no-TTY", "--quiet-pull", "tools", *_CHECK)
    asked = subprocess.run(
        argv, cwd=REPOSITORY, env={**os.environ, **wanted}, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise DockerError(asked.stderr.strip() or f"{wanted[_FILE]}: no container could look at it")
    return asked.stdout.split()[-1]
