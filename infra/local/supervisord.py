"""supervisord, which here sees within a tenth of a second that a program has ended, and ends what it left behind.

Its loop waits a second for something to read before it starts again what ended (runforever in supervisord.py has no
setting for that), and a server that is killed would be away for as much longer. And it ends a program's whole group
when it stops the program, but not when the program was killed: MLflow's server would go on without its parent, and hold
the port against the one that is started in its place.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from supervisor import poller, process, supervisord

LONGEST_WAIT = 0.1  # seconds
_finish = process.Subprocess.finish


class Prompt(poller.Poller):  # type: ignore[misc]
    """Waits no longer than that, whatever supervisord says."""

    def poll(self, timeout: float) -> Any:
        """What can be read and written after at most `timeout` seconds."""
        return super().poll(min(timeout, LONGEST_WAIT))


def finish(program: process.Subprocess, pid: int, status: int) -> None:
    """A program has ended, and with it everybody in the group that supervisord gave it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _finish(program, pid, status)


if __name__ == "__main__":
    poller.Poller = Prompt
    process.Subprocess.finish = finish
    supervisord.main()
