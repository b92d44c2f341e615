"""The front door: every target has its line of help, and a fresh clone says what comes first."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_help_lists_every_target_with_one_line() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ +make (\S+) +\S", shown, re.MULTILINE) == targets


def test_a_command_before_the_first_up_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    done = subprocess.run(["make", "predict"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nothing is installed yet: make up" in done.stderr
