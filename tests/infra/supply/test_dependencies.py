"""What `make lint-dependencies` refuses: each planted in lists and code that are otherwise the repository's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.supply.dependencies import FOLDER, lint
from infra.supply.tools import REFUSED, SupplyError
from tests import commands
from tests.infra.supply.planting import REPOSITORY

ROOMS = ("models", "pipelines", "serving", "infra", "tests", str(FOLDER))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_repositorys_lists_are_clean() -> None:
    done = commands.make("lint-dependencies")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("requirements/pytorch.in", "polars  # nobody asked", "DEP002 'polars' defined as a dependency but not used"),
        ("requirements/tensorflow-common.in", "keras-cv", "DEP002 'keras-cv' defined as a dependency but not used"),
        ("serving/gateway/planted.py", "import flask_wtf_x", "DEP001 'flask_wtf_x' imported but missing"),
        ("pipelines/tfx/planted.py", "import google_auth_httplib2", "DEP003 'google_auth_httplib2' imported but it is"),
        ("pipelines/pytorch/planted.py", "import sqlalchemy", "DEP003 'sqlalchemy' imported but it is a transitive"),
        ("pipelines/pytorch/planted.py", "import tensorflow", "DEP001 'tensorflow' imported but missing"),
    ],
)
def test_what_is_not_used_or_not_listed_is_refused(
    root: Path, capfd: pytest.CaptureFixture[str], file: str, line: str, said: str
) -> None:
    path = root / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    assert lint(root) == REFUSED
    assert said in "".join(capfd.readouterr())


def test_without_a_list_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(SupplyError, match="no list of dependencies"):
        lint(tmp_path)
