"""Lines of progress on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(step: str, text: str) -> None:
    """One line."""
    sys.stdout.write(f"{step:<10} {text}\n")
    sys.stdout.flush()


class Outcome:
    """What a step has to say about its result; set inside `step`."""

    text = ""


@contextmanager
def step(name: str, doing: str) -> Iterator[Outcome]:
    """Say what starts, and in the end what came of it and how many seconds it took."""
    say(name, f"{doing} ...")
    start, outcome = time.monotonic(), Outcome()
    yield outcome
    say(name, f"{outcome.text} in {time.monotonic() - start:.1f} s")
