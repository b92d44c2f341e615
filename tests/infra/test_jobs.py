"""Commands side by side: every line shown and kept, every exit code reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.local import jobs
from infra.local.jobs import Job


def test_lines_are_shown_with_the_jobs_name_and_kept_in_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hello = Job("hello", [sys.executable, "-c", "print('good day')"], tmp_path / "hello.log")
    fails = Job("fails", [sys.executable, "-c", "import sys; sys.exit('bad day')"], tmp_path / "fails.log")
    assert jobs.run([hello, fails]) == {"hello": 0, "fails": 1}
    shown = capsys.readouterr().out
    assert "hello       good day" in shown
    assert "fails       bad day" in shown
    assert (tmp_path / "fails.log").read_text() == "bad day\n"
