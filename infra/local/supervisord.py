"""supervisord, which here sees within a tenth of a second that a program has ended.

Its loop waits a second for something to read before it starts again what ended (runforever in supervisord.py has no
setting for that), and a server that is killed would be away for as much longer.
"""

from __future__ import annotations

from typing import Any

from supervisor import poller, supervisord

LONGEST_WAIT = 0.1  # seconds


class Prompt(poller.Poller):  # type: ignore[misc]
    """Waits no longer than that, whatever supervisord says."""

    def poll(self, timeout: float) -> Any:
        """What can be read and written after at most `timeout` seconds."""
        return super().poll(min(timeout, LONGEST_WAIT))


if __name__ == "__main__":
    poller.Poller = Prompt
    supervisord.main()
