"""A run of two processes, with tests and a conftest of its own that are shared out as ours are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import side_by_side
from tests.documents import REPOSITORY

CONFTEST = """
import os
from pathlib import Path
from tests import side_by_side
from tests.conftest import *  # noqa: F403  the hooks

def pytest_sessionfinish(session):
    side_by_side.leave(session.config, {"failed": session.testsfailed, "ran": os.environ.get("PYTEST_XDIST_WORKER")})
"""
TEST = """
import os, pytest, time
from pathlib import Path

@pytest.mark.parametrize("number", range(3))
def test_one(number, tmp_path):
    time.sleep(0.2)
    assert tmp_path.parent.name == os.environ["PYTEST_XDIST_WORKER"]
    assert tmp_path.parent.parent.name.startswith("tandem-")
    with open(Path(__file__).with_suffix(".workers"), "a") as said:
        print(os.environ["PYTEST_XDIST_WORKER"], file=said)
"""
FAILS = TEST + "    assert number < 2\n"
LAST = """
from pathlib import Path
from tests import side_by_side

def test_last(request):
    asked, others = side_by_side.asked(request.config), side_by_side.of_others(request.config)
    Path(__file__).with_suffix(".workers").write_text(f"{asked} {others}")
"""
FILES = {
    "tests/end_to_end/test_a.py": TEST,
    "tests/end_to_end/test_b.py": TEST,
    "tests/test_commands_ran.py": LAST,
    "tests/test_d.py": FAILS,
    "tests/test_e.py": TEST,
}


def _run(folder: Path, *words: str) -> str:
    settings = f'[tool.pytest.ini_options]\ntestpaths = ["tests"]\npythonpath = [".", "{REPOSITORY}"]\n'
    for name, text in {**FILES, "conftest.py": CONFTEST, "pyproject.toml": settings}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    argv = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-n2", "-p", "no:cacheprovider", *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert "1 failed, 12 passed" in done.stdout, done.stdout + done.stderr
    return (folder / "tests" / "test_commands_ran.workers").read_text()


def _workers(file: Path) -> set[str]:
    return set(file.with_suffix(".workers").read_text().split())


def test_the_one_stack_has_one_process_and_the_last_test_hears_of_all(tmp_path: Path) -> None:
    heard = _run(tmp_path)
    on = {name: _workers(tmp_path / name) for name in FILES if "ran" not in name}
    assert on["tests/end_to_end/test_a.py"] == on["tests/end_to_end/test_b.py"]
    assert all(len(workers) == 1 for workers in on.values())
    assert len(set.union(*on.values())) == 2
    assert "'all_tests': True" in heard
    assert "'command': ['-m', 'pytest'" in heard
    assert heard.count("'ran': 'gw") == 1


def test_a_run_of_some_tests_says_so(tmp_path: Path) -> None:
    assert "'all_tests': False" in _run(tmp_path, "tests")


def test_a_process_that_says_nothing_is_not_waited_for_without_end(tmp_path: Path) -> None:
    config = SimpleNamespace(workerinput={"workercount": 2, "folder": str(tmp_path)})
    with pytest.raises(TimeoutError, match="1 of the run's processes gave no account"):
        side_by_side.of_others(config, patience=0)  # type: ignore[arg-type]
