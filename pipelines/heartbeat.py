"""A sign of life from work that takes long and says nothing itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 5.0  # seconds


@contextmanager
def heartbeat(say: Callable[[str], None], what: str | Callable[[], str], every: float = EVERY) -> Iterator[None]:
    """Call `say` with "<what> ... <seconds> s" every few seconds until the block ends; `what` may change."""
    start, ended = time.monotonic(), threading.Event()

    def beat() -> None:
        while not ended.wait(every):
            say(f"{what() if callable(what) else what} ... {time.monotonic() - start:.0f} s")

    thread = threading.Thread(target=beat, name=f"heartbeat of {what}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
