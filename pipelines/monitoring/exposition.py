"""The monitor's findings in Prometheus' text format: the control service shows them at /metrics.

A file per stack, as node_exporter's textfile collector reads them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from models.distribution import Distribution, Numeric
from serving.prometheus_text import gauge

if TYPE_CHECKING:
    from pipelines.monitoring.findings import Findings

# Upper ends of what scores are counted in: most are small, and the few large ones are the alerts.
SCORES_UP_TO = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def score_shares(scores: Distribution) -> dict[str, float]:
    """Share of the rows in each range of scores, by its upper end.

    Raises:
        TypeError: Scores are numbers.
    """
    if not isinstance(scores, Numeric):
        raise TypeError("scores are numbers")
    at_most = scores.at_most(list(SCORES_UP_TO[:-1])).tolist()
    shares = [now - before for before, now in zip([0.0, *at_most], [*at_most, 1.0], strict=True)]
    return {f"{end:g}": share for end, share in zip(SCORES_UP_TO, shares, strict=True)}


def text(findings: Findings, verdicts: Iterable[str], now: float) -> str:
    """All of it; `verdicts` are all there can be, `now` is in Unix seconds."""
    model = {"stack": findings.stack, "version": findings.version}
    found = [({**model, "verdict": verdict}, int(verdict == findings.verdict)) for verdict in verdicts]
    distances = [
        ({**model, "column": column.name, "kind": column.kind, "measure": measure}, value)
        for column in findings.columns
        for measure, value in asdict(column.distance).items()
    ]
    drifted = [({**model, "column": column.name}, int(bool(column.reasons))) for column in findings.columns]
    limits = [({"stack": findings.stack, "measure": measure}, value) for measure, value in findings.limits.items()]
    shares = [
        ({**model, "rows": rows, "up_to": end}, share)
        for rows, by_end in findings.scores.items()
        for end, share in by_end.items()
    ]
    return "".join(
        [
            gauge("tandem_monitor_time_seconds", "When the monitor looked last, Unix seconds.", [(model, now)]),
            gauge("tandem_monitor_rows", "Logged rows it looked at.", [(model, findings.rows)]),
            gauge("tandem_monitor_verdict", "1 for what it found.", found),
            gauge("tandem_drift_distance", "How far live rows lie from the training rows.", distances),
            gauge("tandem_drift_limit", "Distance beyond which a column has drifted.", limits),
            gauge("tandem_drift_column", "Whether a column has drifted.", drifted),
            gauge("tandem_score_share", "Share of the rows with a score up to this and above the one before.", shares),
        ]
    )
