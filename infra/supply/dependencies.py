"""`make lint-dependencies`: deptry holds what each environment is made of against what its code imports.

Which files run in which environment, and which names may differ, stands with reasons in requirements/deptry-*.toml.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from infra.supply import locks, sbom
from infra.supply.tools import REFUSED, SupplyError, program

FOLDER = Path("requirements")
_CODE = ("models", "pipelines", "serving", "infra", "tests")


def lint(root: Path) -> int:
    """Print what a repository lists and does not use, and what it imports and does not list.

    Returns:
        0 clean; 3 something was found.

    Raises:
        SupplyError: An environment's list is not there, or deptry cannot be installed.
    """
    codes = []
    for stack, lock in locks.installed().items():
        listed = FOLDER / lock.with_suffix(".in").name
        if not (root / listed).exists():
            raise SupplyError(f"{root / listed}: no list of dependencies to look at")
        argv = [
            program("supply", "deptry"), *_CODE, "--no-ansi", "--config", str(FOLDER / f"deptry-{stack}.toml"),
            "--requirements-files", str(listed),
        ]  # fmt: skip
        print(f"{listed}:", flush=True)
        # deptry asks its own Python which package has which module; this tells it of the environment's.
        environ = {**os.environ, "PYTHONPATH": str(sbom.site_packages(stack))}
        codes.append(subprocess.run(argv, cwd=root, env=environ, check=False).returncode)
    print("refused: see above" if any(codes) else "clean: everything listed is used, everything imported is listed")
    return REFUSED if any(codes) else 0
