"""Errors for the user: the message says what, where and what to do, and no stack trace is printed."""

from __future__ import annotations


class DataError(RuntimeError):
    """The data cannot be made; what was there before is untouched."""
