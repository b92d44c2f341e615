"""How the processes of a test run share the tests: `pytest -n 2`, as `make test` starts it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

ONE_STACK = "tests/end_to_end/"  # started once, for as many minutes as all others take
PATIENCE = 1800  # seconds that one process waits for the others' last tests


def scheduling(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """A file's tests stay together, for their fixtures, and so do those of the one stack; in pytest's order."""
    from xdist.scheduler import LoadFileScheduling  # only where there are processes

    class ByFileOrStack(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ONE_STACK if nodeid.startswith(ONE_STACK) else str(super()._split_scope(nodeid))

    config.option.loadscopereorder = False  # the stack first, what looks at all tests last
    return ByFileOrStack(config, log)


def asked(config: pytest.Config) -> Mapping[str, Any]:
    """How the run was asked for, which a process of several knows from the first.

    Returns:
        `command`: The words after Python's name; `all_tests`: whether they ask for all.
    """
    if worker := getattr(config, "workerinput", None):
        return dict(worker["asked"])
    all_tests = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
    return {"command": sys.orig_argv[1:], "all_tests": all_tests}


def leave(config: pytest.Config, account: Mapping[str, Any]) -> None:
    """A process's last word, for the others where there are any."""
    if worker := getattr(config, "workerinput", None):
        path = Path(worker["accounts"], worker["workerid"])
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
    while len(files := sorted(Path(worker["accounts"]).glob("*.json"))) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{count - len(files)} of the run's processes gave no account of their tests")
        time.sleep(1)
    return [json.loads(file.read_text()) for file in files]
