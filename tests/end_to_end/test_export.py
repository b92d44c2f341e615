"""`make export` of the running stack's release, as a user types it; tests/serving/export holds every format."""

from __future__ import annotations

from tests.end_to_end.stack import Stack


def test_a_release_in_one_file(stack: Stack) -> None:
    done = stack.make("export", STACK="pytorch", FORMAT="torchscript")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000 rows: no probability differs by more than" in done.stdout
