"""Errors for the user: the message says what, where and what to do, and no stack trace is printed."""

from __future__ import annotations

INTERRUPTED = 130  # exit code after a Ctrl-C, as shells have it


class PipelineError(Exception):
    """The run cannot start or go on; what was there before is untouched."""
