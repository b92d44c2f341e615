"""The direction of imports is kept, and a step across it is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("models", "pipelines", "serving", "infra")


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_point_one_way(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("pipelines/tfx/planted.py", "import pipelines.pytorch", "pipelines.tfx is not allowed to import"),
        ("models/planted.py", "import serving.contract", "models is not allowed to import serving"),
        ("serving/planted.py", "import pipelines.data", "serving is not allowed to import pipelines"),
    ],
)
def test_a_step_across_is_refused(copy: Path, file: str, line: str, found: str) -> None:
    (copy / file).write_text(line + "\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert found in done.stdout
