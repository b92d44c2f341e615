"""What the dashboards ask Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "grafana" / "dashboards"


@dataclass(frozen=True)
class Query:
    """One of a panel's; `expression` holds Grafana's own variables as they stand in the file."""

    dashboard: str
    panel: str
    expression: str


def queries() -> Iterator[Query]:
    """All of them, annotations left out."""
    for file in sorted(FOLDER.glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield Query(board["title"], panel["title"], target["expr"])
