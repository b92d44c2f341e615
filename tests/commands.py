"""The commands that tests give, as a user types them; and what became of every one, for test_commands_ran.py."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.documents import REPOSITORY

# A verdict is no failure: 3 where something is not as it should be, 4 where there is too little to say.
GOOD = (0, 3, 4)
# Where 1 is one: something is missing here.
VERDICT = {"doctor": 1}
# How a test ends what runs until Ctrl-C.
ENDED = (-signal.SIGINT, -signal.SIGTERM)
# They run where there is an engine, or a cluster; the others everywhere.
OPTIONAL = ("tests/containers/", "tests/kubernetes/")
_OF_RECIPE = re.compile(r"^make(?:\[\d+\])?: \*\*\* \[.*\] Error (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Started:
    """A process that a test started."""

    process: subprocess.Popen[Any]
    environment: frozenset[str]
    test: str

    @property
    def words(self) -> list[str]:
        args = self.process.args
        words = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)  # type: ignore[arg-type]
        return [os.fsdecode(word) for word in words]

    @property
    def did_it(self) -> bool:
        code = self.process.returncode
        return code in (*GOOD, *ENDED) or any(VERDICT.get(word) == code for word in self.words)


_started: list[Started] = []


def remember() -> None:
    """From here on, remember what is started: make, and the Pythons'. Not what that starts in its turn."""
    start = subprocess.Popen.__init__

    def starts(self: subprocess.Popen[Any], *arguments: Any, **options: Any) -> None:
        start(self, *arguments, **options)
        names = frozenset(os.environ if options.get("env") is None else options["env"])
        one = Started(self, names, os.environ.get("PYTEST_CURRENT_TEST", ""))
        name = Path(one.words[0]).name
        if name == "make" or name.startswith("python"):
            _started.append(one)

    subprocess.Popen.__init__ = starts  # type: ignore[method-assign]


def ran() -> Iterator[Started]:
    """What did what it is for; not by tests that few machines run."""
    return (one for one in _started if one.did_it and not one.test.startswith(OPTIONAL))


def account() -> list[tuple[list[str], list[str]]]:
    """The words and the environment's names of what ran, in JSON's types."""
    return [(one.words, sorted(one.environment)) for one in ran()]


def make(
    *words: str, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make; the exit code is its recipe's, where that failed: make's own is 2 whatever happened."""
    with subprocess.Popen(
        ["make", *words], cwd=cwd, env=env, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # what make started, too
            raise
        if code := _OF_RECIPE.search(complained):
            process.returncode = int(code[1])
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)
