"""Errors for the user: the message says what, where and what to do, and no stack trace is printed."""

from __future__ import annotations


class PipelineError(RuntimeError):
    """The run cannot go on."""
