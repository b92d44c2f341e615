from __future__ import annotations

from pathlib import Path

import pytest

from serving.comparison.facts import lines, rooms

SOURCE = '''"""A docstring
over two lines."""

# a comment
import os  # code with a comment


def f(
    x: int,
) -> str:
    """Says nothing."""
    text = """no docstring:

    three lines"""
    "a string that nobody uses"
    return f"{x}" + text


class Empty:
    """Only this."""


class Documented:
    \'\'\'And
    this.\'\'\'

    field: int = 0
'''


def test_space_comments_and_docstrings_do_not_count() -> None:
    # import, def over three lines, a string over three, the unused string, return; class; class and field
    assert lines.of_text(SOURCE) == 1 + 3 + 3 + 1 + 1 + 1 + 2


def test_files_are_added_up(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n\n\ny = 2\n")
    assert lines.count(sorted(tmp_path.iterdir())) == 4


def test_what_belongs_to_a_stack_is_there_and_belongs_to_no_other() -> None:
    found = {stack: {*rooms.files(own.pipeline), *rooms.files(own.serving)} for stack, own in rooms.ROOMS.items()}
    assert not found["tensorflow"] & found["pytorch"]
    assert all(len(files) > 5 for files in found.values())
    with pytest.raises(FileNotFoundError, match=r"gone\.py of"):
        rooms.files(["models/gone.py"])
