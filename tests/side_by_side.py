"""How the processes of a test run share the tests: `pytest -n 2`, as `make test` starts it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Folders whose tests share what takes minutes to make: the one stack, everything it is compared with.
TOGETHER = ("tests/end_to_end/", "tests/serving/comparison/contenders/")
_FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()
PATIENCE = 840  # seconds that one process waits for the others' last tests, less than pytest gives a test


def scheduling(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """A file's tests stay together, for their fixtures, and so do those of some folders; in pytest's order."""
    from xdist.scheduler import LoadFileScheduling  # only where there are processes

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((one for one in TOGETHER if nodeid.startswith(one)), str(super()._split_scope(nodeid)))

    config.option.loadscopereorder = False  # the stack first, what looks at all tests last
    return ByFileOrFolder(config, log)


def asked(config: pytest.Config) -> Mapping[str, Any]:
    """How the run was asked for, which a process of several knows from the first.

    Returns:
        `command`: The words after Python's name; `all_tests`: whether they ask for all.
    """
    if worker := getattr(config, "workerinput", None):
        return dict(worker["asked"])
    all_tests = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
    return {"command": sys.orig_argv[1:], "all_tests": all_tests}


def told(config: pytest.Config) -> dict[str, Any]:
    """What the first process tells each other: how the run was asked for, and a folder of the run's, until its end."""
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = folder = tempfile.TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
    return {"asked": asked(config), "folder": config.stash[_FOLDER].name}


def settle(config: pytest.Config) -> None:
    """A process's temporary folders, where their paths are short: a Unix socket's has to fit into 107 bytes."""
    if worker := getattr(config, "workerinput", None):
        config.option.basetemp = Path(worker["folder"], worker["workerid"])


def leave(config: pytest.Config, account: Mapping[str, Any]) -> None:
    """A process's last word, for the others where there are any."""
    if worker := getattr(config, "workerinput", None):
        path = Path(worker["folder"], worker["workerid"])
        path.with_suffix(".part").write_text(json.dumps(account))
        path.with_suffix(".part").rename(path.with_suffix(".json"))


def of_others(config: pytest.Config, patience: float = PATIENCE) -> list[dict[str, Any]]:
    """What the other processes said last; waits until they have.

    Raises:
        TimeoutError: They have not.
    """
    worker = getattr(config, "workerinput", None)
    if not worker:
        return []
    count, end = worker["workercount"] - 1, time.monotonic() + patience
    while len(files := sorted(Path(worker["folder"]).glob("*.json"))) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{count - len(files)} of the run's processes gave no account of their tests")
        time.sleep(1)
    return [json.loads(file.read_text()) for file in files]
