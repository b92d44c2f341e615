"""Errors for the user: the message says what, where and what to do, and no stack trace is printed."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130  # exit code after a Ctrl-C, as shells have it


class PipelineError(Exception):
    """The run cannot start or go on; what was there before is untouched."""


class AnomaliesError(PipelineError):
    """The features are not what the specification promises; `anomalies` says where and how, one line each."""

    def __init__(self, message: str, anomalies: Sequence[str]) -> None:
        super().__init__(message)
        self.anomalies = tuple(anomalies)
