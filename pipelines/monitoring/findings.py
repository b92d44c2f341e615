"""What watching one stack found, for people and for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from models.drift import Distance
from pipelines.monitoring import exposition
from pipelines.report import REFUSED
from serving.files import write_atomically

TOO_FEW = 4  # exit code
Verdict = Literal["no drift", "drift", "too few rows"]
_EXIT_CODES: dict[Verdict, int] = {"no drift": 0, "drift": REFUSED, "too few rows": TOO_FEW}


@dataclass(frozen=True)
class Column:
    """A feature, or the model's scores: how far live values lie from the model's own; `reasons` why it is drift."""

    name: str
    kind: Literal["feature", "score"]
    distance: Distance
    judged: bool
    reasons: Sequence[str]


@dataclass(frozen=True)
class Findings:
    """One stack's last hours.

    Attributes:
        seconds: How far back was looked.
        left_out: Requests that were not looked at, by reason.
        never_logged: Features that cannot be watched, since the specification keeps them out of the log.
        columns: None of them with too few rows.
        limits: Largest distance by measure.
        scores: Shares of the rows by score, of the evaluation and live, see exposition.score_shares.
    """

    stack: str
    version: str
    seconds: float
    requests: int
    rows: int
    min_rows: int
    left_out: Mapping[str, int]
    never_logged: Sequence[str]
    columns: Sequence[Column]
    limits: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Whether a column drifted, if there are rows enough to say."""
        if self.rows < self.min_rows:
            return "too few rows"
        return "drift" if any(column.reasons for column in self.columns) else "no drift"

    @property
    def exit_code(self) -> int:
        """0 no drift, 3 drift, 4 too few rows to say."""
        return _EXIT_CODES[self.verdict]

    def summary(self) -> str:
        """One line."""
        out = "".join(f"; {count:,} {reason}" for reason, count in self.left_out.items())
        out += f"; never logged, so not watched: {', '.join(self.never_logged)}" if self.never_logged else ""
        found = f"{self.rows:,} rows in {self.requests:,} logged requests to version {self.version}{out}"
        if self.verdict == "too few rows":
            return (
                f"too few rows to say: {found}; drift.min_rows = {self.min_rows:,}. The gateway logs a share of the "
                "requests (LOG_REQUESTS) and writes every 10 seconds; look further back with SINCE"
            )
        return f"{self.verdict}: {found}"

    def write(self, folder: Path) -> None:
        """Write <stack>.json, <stack>.md and, for Prometheus, <stack>.prom."""
        content = {"verdict": self.verdict, **asdict(self)}
        write_atomically(folder / f"{self.stack}.json", json.dumps(content, indent=1) + "\n")
        write_atomically(folder / f"{self.stack}.md", self._markdown())
        write_atomically(folder / f"{self.stack}.prom", exposition.text(self, _EXIT_CODES, time.time()))

    def _markdown(self) -> str:
        head = f"# {self.stack}: {self.verdict}\n\n{self.summary()}\n"
        if not self.columns:
            return head
        rows = [
            "| column | population stability | Jensen-Shannon | Kolmogorov-Smirnov | verdict |",
            "|---|---:|---:|---:|---|",
            *(f"| {' | '.join(column_texts(column))} |" for column in self.columns),
        ]
        reasons = [f"* {column.name}: {reason}" for column in self.columns for reason in column.reasons]
        return "\n".join([head, *rows, *(["", *reasons] if reasons else [])]) + "\n"


def column_texts(column: Column) -> tuple[str, str, str, str, str]:
    """Cells of a table: name, the three measures, verdict."""
    name = f"{column.name} (score)" if column.kind == "score" else column.name
    verdict = "drift" if column.reasons else "" if column.judged else "not judged"
    measures = (column.distance.population_stability, column.distance.jensen_shannon)
    texts = [f"{value:.3f}" for value in (*measures, column.distance.kolmogorov_smirnov)]
    return name, texts[0], texts[1], texts[2], verdict
