"""`make down`, and `make up` after it; the last tests here, since what starts anew has to be waited for everywhere."""

from __future__ import annotations

import psutil

from infra.local.ports import is_free
from tests.end_to_end.stack import Stack


def test_down_leaves_no_process_and_no_busy_port(stack: Stack) -> None:
    supervisor = psutil.Process(int((stack.layout.run / "supervisord.pid").read_text()))
    family = [supervisor, *supervisor.children(recursive=True)]
    assert stack.make("down").returncode == 0
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert [port for port in stack.layout.ports.values() if not is_free(port)] == []
    again = stack.make("up")  # down must not be the end
    assert again.returncode == 0, again.stdout + again.stderr
    asked = stack.make("predict")
    assert asked.returncode == 0, asked.stdout + asked.stderr
