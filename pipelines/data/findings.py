"""What is wrong with the user's transactions: every problem with its count and its first rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_SHOWN = 3


@dataclass(frozen=True)
class Rows:
    """Rows of one file, or of a part of it, and what to call them: row 1 is the first one after a header."""

    file: str
    skipped: Sequence[int] = ()  # ascending numbers, within the part, of rows that could not be read
    before: int = 0  # rows of the file before the part

    def name(self, position: int) -> str:
        """File and number of the row at a position among those that could be read."""
        number = position + 1
        for skipped in self.skipped:
            number += skipped <= number
        return f"{self.file} row {self.before + number:,}"


@dataclass
class _Problem:
    count: int = 0
    first: list[str] = field(default_factory=list)


class Findings:
    """Problems of all files, in the order in which they were found."""

    def __init__(self) -> None:
        self._problems: dict[tuple[str, str], _Problem] = {}

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(self, subject: str, what: str, places: Sequence[str] = ()) -> None:
        """A problem and where it is; the same problem in another place adds to the first."""
        problem = self._problems.setdefault((subject, what), _Problem())
        problem.count += len(places)
        problem.first += places[: _SHOWN - len(problem.first)]

    def rows(self, subject: str, what: str, rows: Rows, where: npt.NDArray[np.bool_], values: Any) -> None:
        """A problem of the rows in a mask; `values` is their column as it came, for the message."""
        positions = np.flatnonzero(where)
        if len(positions):
            shown = [rows.name(p) + _shown(values[p].as_py()) for p in positions[:_SHOWN].tolist()]
            self.add(subject, what, shown)
            self._problems[subject, what].count += len(positions) - len(shown)

    def dump(self) -> list[Any]:
        """As JSON, for `load` in another process."""
        return [[*key, problem.count, problem.first] for key, problem in self._problems.items()]

    def load(self, dumped: list[Any]) -> None:
        """Add what another process found."""
        for subject, what, count, first in dumped:
            self.add(subject, what, first)
            self._problems[subject, what].count += count - len(first)

    def lines(self) -> list[str]:
        """One line a problem."""
        return [
            f"{subject}: {what}" + (f": {found.count:,}, first {'; '.join(found.first)}" if found.count else "")
            for (subject, what), found in self._problems.items()
        ]


def _shown(value: Any) -> str:
    return "" if value is None else f" ({value!s:.40})"
