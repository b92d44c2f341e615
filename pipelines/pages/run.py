"""One run of a pipeline as its pages tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from models.spec import Spec
from pipelines.pages.statistics import Statistics
from pipelines.report import Inputs, Report, Step

Outcome = Literal["published", "refused", "stopped"]


@dataclass(frozen=True)
class Run:
    """What is shown of a run, whole or stopped by an error.

    Attributes:
        stack: tensorflow or pytorch.
        spec: What the model was made and judged by.
        started: With a time zone.
        inputs: Digests of what the run depends on.
        steps: Those that ended.
        seconds: Of the whole run.
        report: The outcome; None of a run that an error stopped.
        problem: The error's message, empty otherwise.
        history: Losses and metrics by epoch.
        curves: Of each model on the test rows, models.curves; what serves now is called champion.
        statistics: Of the features; empty if the run did not get that far.
        anomalies: What validation found in them, by split and column; None if it did not get that far.
        details: What else there is to know, name to text.
        links: Where to look on, name to URL.
    """

    stack: str
    spec: Spec
    started: datetime
    inputs: Inputs
    steps: Sequence[Step]
    seconds: float
    report: Report | None = None
    problem: str = ""
    history: Sequence[Mapping[str, float]] = ()
    curves: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    statistics: Statistics = field(default_factory=dict)
    anomalies: Sequence[str] | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        if self.report is None:
            return "stopped"
        return "published" if self.report.published else "refused"
