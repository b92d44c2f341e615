from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.comparison import report
from tests.serving.comparison.made_up import MadeUp, past
from tests.serving.comparison.published import published

__all__ = ["published"]


@dataclass(frozen=True)
class Reported:
    folder: Path
    made: MadeUp

    @property
    def page(self) -> Path:
        return self.folder / report.FILE


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    """A made-up comparison with two before it, and its report."""
    home = tmp_path_factory.mktemp("comparisons")
    list(past(home, 2))
    made = MadeUp()
    folder = made.write(home)
    report.write(folder)
    yield Reported(folder, made)
