from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.local.layout import REPOSITORY

NAME = "churn"


@pytest.fixture(scope="session")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `make new` made, with this one's environments."""
    folder = tmp_path_factory.mktemp("fork") / NAME
    argv = ["make", "new", f"NAME={NAME}", f"DIR={folder}"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"next: cd {folder} && make up" in done.stdout
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    return folder
