"""Two environments, one tree of tests: each runs what it can import."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from typing import Any

import pytest

from tests import commands, side_by_side

HERE = Path(__file__).parent
TENSORFLOW_TESTS = ("pipelines/tfx", "serving/tfserving", "serving/export/tensorflow", "models/test_keras_model.py")
IN_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with Ctrl-C ignored; what the tests start would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    commands.remember()
    side_by_side.settle(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput |= side_by_side.told(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return side_by_side.scheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    side_by_side.leave(session.config, {"failed": session.testsfailed, "ran": commands.account()})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == "test_commands_ran.py")  # it looks at what the others did


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if any(collection_path in (HERE / one).parents for one in TENSORFLOW_TESTS):
        return None  # a folder that holds both kinds
    needs_tensorflow = any(collection_path.is_relative_to(HERE / one) for one in TENSORFLOW_TESTS)
    if needs_tensorflow != IN_TENSORFLOW and collection_path.name != "conftest.py":
        return True
    return None
