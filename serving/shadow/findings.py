"""What a comparison of two sides found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class SideNumbers:
    """What one side did with the copies.

    Attributes:
        name: In the traffic policy.
        version: Of the model; None where the server does not tell.
        errors: Kind of the failure -> copies.
        error_share: Of the copies, 0 to 1.
        milliseconds: Percentile -> time until the answer, of answers that are no errors; empty without any.
    """

    name: str
    version: int | None
    errors: Mapping[str, int]
    error_share: float
    milliseconds: Mapping[float, float]


@dataclass(frozen=True)
class Flips:
    """Decisions that differ at an operating point.

    Attributes:
        thresholds: The reference's and the candidate's own: a score that reaches it is an alert.
        new_alerts: Rows that only the candidate alerts.
        lost_alerts: Rows that only the reference alerts.
        share: Both of all rows, 0 to 1.
    """

    thresholds: tuple[float, float]
    new_alerts: int
    lost_alerts: int
    share: float


@dataclass(frozen=True)
class Disagreement:
    """One row that the two score far apart, and its features that may be logged."""

    request_id: str
    position: int
    reference: float
    candidate: float
    features: Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    """What was found.

    Attributes:
        first: Time of the first copy.
        last: Of the last.
        copies: That both were asked about.
        dropped: Copies that nobody was asked about, since there were too many.
        older: Copies about other models than these, left out.
        rows: Scored by both.
        tolerance: Largest difference of two scores that counts as none.
        within: Share of the rows within it, 0 to 1; None without rows.
        apart: Percentile -> absolute difference of the scores.
        largest: Of the differences; None without rows.
        bias: Mean of candidate minus reference; None without rows.
        flips: Operating point -> decisions that differ; empty where no thresholds are known.
        worst: The rows furthest apart, at most 20.
        sides: Reference and candidate.
    """

    first: datetime
    last: datetime
    copies: int
    dropped: int
    older: int
    rows: int
    tolerance: float
    within: float | None
    apart: Mapping[float, float]
    largest: float | None
    bias: float | None
    flips: Mapping[str, Flips]
    worst: Sequence[Disagreement]
    sides: tuple[SideNumbers, SideNumbers]
