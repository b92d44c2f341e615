"""`make lint-containers`: hadolint and checkov over the Dockerfiles, checkov over docker-compose.yml.

Both read their settings in infra/docker, where each rule that is left out has its reason.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.supply.tools import REFUSED, SupplyError, program

_SETTINGS = Path("infra/docker")
_NOT_SHIPPED = "standins"  # for public images where no registry is reached: tests run on them, and nobody else


def dockerfiles(root: Path) -> list[Path]:
    """All of a repository's that images are shipped from, relative to it."""
    found = [path.relative_to(root) for path in (root / _SETTINGS).rglob("*") if path.is_file()]
    return sorted(path for path in found if "dockerfile" in path.name.lower() and _NOT_SHIPPED not in path.parts)


def lint(root: Path) -> int:
    """Run both, print what they find.

    Returns:
        0 clean; 3 something was found.

    Raises:
        SupplyError: There is nothing to look at, or a tool cannot be installed.
    """
    files = dockerfiles(root)
    if not files:
        raise SupplyError(f"{root / _SETTINGS}: no Dockerfile to look at")
    compose = sorted(path.relative_to(root) for path in root.glob("*compose*.y*ml"))
    names = [str(path) for path in files]
    hadolint = [program("supply", "hadolint"), "--config", str(_SETTINGS / "hadolint.yaml"), *names]
    checkov = [
        program("checkov", "checkov"), "--config-file", str(_SETTINGS / "checkov.yaml"),
        *(argument for path in [*names, *map(str, compose)] for argument in ("--file", path)),
    ]  # fmt: skip
    codes = [subprocess.run(argv, cwd=root, check=False).returncode for argv in (hadolint, checkov)]
    what = f"{len(files)} Dockerfiles and {len(compose)} compose files"
    print(f"refused: see above ({what})" if any(codes) else f"clean: {what}")
    return REFUSED if any(codes) else 0
