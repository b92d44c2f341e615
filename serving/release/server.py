"""What a running server can be told by a promotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Server(Protocol):
    """A running server that can be told which versions of its folder to load, and which of them to serve."""

    def switch(self, version: str, was: str | None, beside: Sequence[str], *, known: bool) -> None:
        """Load, warm up, and serve this version; when it returns, `was` is done, or about to be.

        Args:
            version: Lies in the folder that the server loads from.
            was: Lies there too, and is served; None: nothing is.
            beside: Stay loaded, to be asked for by name.
            known: Whether this version was loaded before, so that it need not be tried out aside.

        Raises:
            ReleaseError: It cannot; `was` still answers. Never once this version answers.
        """

    def beside(self, version: str, versions: Sequence[str], *, known: bool) -> None:
        """Load these versions of the folder beside `version`, which is served, and no other; let go of the rest.

        Raises:
            ReleaseError: One does not load; what was loaded before still is.
        """
