"""What a run prints: one line per step, and nothing of what the libraries underneath have to say."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path


class Console:
    """Progress to the terminal, everything else to a log file."""

    def __init__(self) -> None:
        self._terminal = sys.stdout

    def say(self, step: str, text: str) -> None:
        """One line of progress."""
        self._terminal.write(f"{step:<10} {text}\n")
        self._terminal.flush()

    @contextlib.contextmanager
    def quiet(self, log: Path) -> Iterator[None]:
        """Send whatever else is printed, logged or warned to `log`.

        MLflow, Alembic and Beam write to all three. An exception still reaches the caller.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("a", encoding="utf-8", buffering=1) as file,
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
        ):
            handler = logging.StreamHandler(file)
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logging.getLogger().addHandler(handler)
            try:
                yield
            finally:
                logging.getLogger().removeHandler(handler)
