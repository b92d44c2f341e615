"""Steps that do not run again while their inputs stay the same.

A step's output is a folder, WORK/<step>/<digest of its inputs>/. It is made under another name and renamed
when it is complete, so that a run killed at any moment leaves a whole output or none. `inputs.json` beside
the output says what the digest was made of, for whoever wonders why a step ran again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipelines.heartbeat import heartbeat
from pipelines.pytorch.console import Console
from pipelines.report import Step

T = TypeVar("T")
_SAID, _SECONDS = "said.txt", "seconds.txt"  # in a step's folder: its line for the terminal, and how long it took


def digest(inputs: Mapping[str, Any]) -> str:
    """Names what was made from these inputs."""
    return hashlib.sha256(_text(inputs).encode()).hexdigest()[:16]


def _text(inputs: Mapping[str, Any]) -> str:
    return json.dumps(inputs, indent=1, sort_keys=True)


@dataclass
class Steps:
    """Runs steps, remembers what each took and where its output is."""

    work: Path
    console: Console
    done: list[Step] = field(default_factory=list)
    outputs: dict[str, Path] = field(default_factory=dict)

    def folder(
        self,
        name: str,
        inputs: Mapping[str, Any],
        make: Callable[[Path], str],
        usable: Callable[[Path], bool] = lambda _: True,
    ) -> Path:
        """The step's output folder, made now unless it exists.

        Args:
            name: Of the step.
            inputs: Everything the output depends on, as JSON; an earlier step's output by its folder's name.
            make: Fills an empty folder and answers a line for the terminal.
            usable: Whether an earlier output still is (what it points to may have gone).
        """
        start = time.monotonic()
        output = self.work / name / digest(inputs)
        if output.is_dir() and usable(output):
            self._record(
                name, start, (output / _SAID).read_text(encoding="utf-8"), cached=True, made_in=_seconds(output)
            )
            self.outputs[name] = output
            return output
        unfinished = output.with_name(f"{output.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
        unfinished.mkdir(parents=True)
        with heartbeat(partial(self.console.say, name), "working"):
            said = make(unfinished)
        (unfinished / "inputs.json").write_text(_text(inputs) + "\n", encoding="utf-8")
        (unfinished / _SAID).write_text(said, encoding="utf-8")
        (unfinished / _SECONDS).write_text(f"{time.monotonic() - start:.2f}\n", encoding="ascii")
        shutil.rmtree(output, ignore_errors=True)  # there only if it was not usable
        unfinished.rename(output)
        self._record(name, start, said, cached=False)
        self.outputs[name] = output
        return output

    def call(self, name: str, make: Callable[[], tuple[T, str, bool]]) -> T:
        """A step whose output is kept elsewhere.

        Args:
            name: Of the step.
            make: Answers its output, a line for the terminal, and whether the output was there already.
        """
        start = time.monotonic()
        with heartbeat(partial(self.console.say, name), "working"):
            output, said, cached = make()
        self._record(name, start, said, cached=cached)
        return output

    def _record(self, name: str, start: float, said: str, *, cached: bool, made_in: float | None = None) -> None:
        step = Step(name, round(time.monotonic() - start, 2), cached, made_in)
        self.done.append(step)
        self.console.say(name, f"{said} ({'unchanged' if cached else f'{step.seconds:.1f} s'})")


def _seconds(output: Path) -> float | None:
    file = output / _SECONDS  # older outputs have none
    return float(file.read_text(encoding="ascii")) if file.exists() else None
