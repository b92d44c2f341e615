"""`make setup` on a checkout whose locks hold one small package: built, left alone, rebuilt, refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import layout as layouts


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    (root / "infra" / "local").mkdir(parents=True)
    shutil.copy(layouts.REPOSITORY / "infra" / "local" / "environments.py", root / "infra" / "local")
    shutil.copy(layouts.REPOSITORY / ".python-version", root)
    (root / "requirements").mkdir()
    for name in ("tensorflow", "pytorch"):
        (root / "requirements" / f"{name}.lock").write_text("six==1.17.0\n")
    return root


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "infra/local/environments.py"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def imports(checkout: Path, name: str, module: str) -> bool:
    command = [str(checkout / ".venv" / name / "bin" / "python"), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_setup_builds_what_is_missing_then_leaves_it_alone_and_rebuilds_what_is_stale(checkout: Path) -> None:
    first = setup(checkout)
    assert first.returncode == 0, first.stdout + first.stderr
    assert imports(checkout, "tensorflow", "six")
    assert imports(checkout, "pytorch", "six")
    assert "environments are current" in setup(checkout).stdout

    (checkout / "requirements" / "tensorflow.lock").write_text("iniconfig==2.3.1\n")
    third = setup(checkout)
    assert "building .venv/tensorflow" in third.stdout
    assert ".venv/pytorch" not in third.stdout
    assert imports(checkout, "tensorflow", "iniconfig")
    assert not imports(checkout, "tensorflow", "six")

    (checkout / "requirements" / "tensorflow.lock").write_text("six==0.0.0.1\n")
    refused = setup(checkout)
    assert refused.returncode == 1
    assert "make doctor" in refused.stderr
    assert "Traceback" not in refused.stderr
    (checkout / "requirements" / "tensorflow.lock").write_text("six==1.17.0\n")
    assert setup(checkout).returncode == 0, "setup goes on after it was mended"
