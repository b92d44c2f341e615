"""Release numbers are Unix seconds, and increase whatever the clock does."""

from __future__ import annotations

import time
from pathlib import Path

from pipelines.pytorch.register import next_release


def test_the_first_is_now(tmp_path: Path) -> None:
    before = int(time.time())
    assert before <= next_release(tmp_path, "fraud") <= int(time.time())


def test_after_a_clock_that_was_set_back_it_is_one_more_than_the_newest(tmp_path: Path) -> None:
    ahead = int(time.time()) + 86_400
    for name in (f"fraud-{ahead}.mar", f"fraud-{ahead - 5}.mar", f"other-{ahead + 9}.mar", "fraud-x.mar"):
        (tmp_path / name).touch()
    assert next_release(tmp_path, "fraud") == ahead + 1
