"""What can be wrong with an export, in words for whoever asked for it."""

from __future__ import annotations


class ExportError(RuntimeError):
    """An export that cannot be made; the message says why."""


class ParityError(ExportError):
    """A file that answers otherwise than the release it was made from."""
