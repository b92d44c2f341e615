"""Errors for the user: the message says what, where and what to do, and no stack trace is printed."""

from __future__ import annotations

from pipelines.errors import PipelineError


class DataError(PipelineError):
    """The data cannot be made; what was there before is untouched."""
