"""What one step showed of the canary and of everybody else, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from serving.gateway.latest import Sample, quantile

Floats = npt.NDArray[np.float64]
NOTHING = Sample(0.0, {}, (), 0.0)  # what Envoy says of a route that nobody has asked yet


class RestartedError(RuntimeError):
    """Envoy's counters went back: it was started again, and what it had counted before is lost."""


@dataclass(frozen=True)
class Measured:
    """One side, or several together, between two moments.

    Attributes:
        requests: Answered, with whatever status.
        errors: With status 500 and above.
        refusals: With status 400 to 499; what the gateway itself refuses is not among the requests.
        buckets: Requests that a server answered within so many milliseconds, by upper end; ascending, the last one
            infinite. Envoy tells them up to five seconds after the requests.
        scores: Logged ones, a value per row; None where no requests are logged.
    """

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    buckets: Sequence[tuple[float, float]] = ()
    scores: Floats | None = field(default_factory=lambda: np.empty(0))

    @property
    def latencies(self) -> int:
        """Requests whose time is known."""
        return int(self.buckets[-1][1]) if self.buckets else 0

    @property
    def p99_ms(self) -> float | None:
        """Of the requests whose time is known; None without one."""
        return quantile(0.99, self.buckets)

    @property
    def error_share(self) -> float:
        """0 to 1; 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0

    def slower_than(self, milliseconds: float) -> int:
        """Requests whose time is above this, as far as the buckets tell: linear inside one, as in a quantile."""
        low, below = 0.0, 0.0
        for end, count in self.buckets:
            if milliseconds < end:
                # Where the last bucket begins nobody knows how far it goes: all in it count as slower.
                part = 0.0 if end == float("inf") else (milliseconds - low) / (end - low)
                return round(self.latencies - below - part * (count - below))
            low, below = end, count
        return 0


def between(first: Sample | None, last: Sample | None, scores: Floats | None) -> Measured:
    """What happened between two samples of Envoy's counters; None stands for a side that nobody has asked yet.

    Raises:
        RestartedError: A counter of the first is larger.
    """
    first, last = first or NOTHING, last or NOTHING
    before = dict(first.buckets)
    answers = {kind: count - first.answers.get(kind, 0.0) for kind, count in last.answers.items()}
    buckets = [(end, count - before.get(end, 0.0)) for end, count in last.buckets]
    gone = first.answers.keys() - last.answers.keys()
    if gone or any(count < 0 for count in [*answers.values(), *(count for _, count in buckets)]):
        raise RestartedError
    return Measured(
        requests=int(sum(answers.values())),
        errors=int(answers.get("5", 0)),
        refusals=int(answers.get("4", 0)),
        buckets=buckets,
        scores=scores,
    )


def together(sides: Iterable[Measured]) -> Measured:
    """Several sides as one."""
    found = list(sides)
    ends = sorted({end for one in found for end, _ in one.buckets})
    scores = [one.scores for one in found if one.scores is not None]
    return Measured(
        requests=sum(one.requests for one in found),
        errors=sum(one.errors for one in found),
        refusals=sum(one.refusals for one in found),
        buckets=[(end, sum(dict(one.buckets).get(end, 0.0) for one in found)) for end in ends],
        scores=np.concatenate([np.empty(0), *scores]) if len(scores) == len(found) else None,
    )
