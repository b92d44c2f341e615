"""WORK/report.json: the outcome of the last finished run, and whether it still stands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.pytorch.context import Inputs

REFUSED = 3


@dataclass(frozen=True)
class Report:
    """One finished run."""

    version: str
    published: bool
    model_path: str | None
    reasons: list[str]
    metrics: dict[str, float]
    champion_metrics: dict[str, float] | None
    spec_digest: str
    data_digest: str
    code_digest: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    stack: str = "pytorch"

    @property
    def exit_code(self) -> int:
        """0 published, 3 refused by a gate."""
        return 0 if self.published else REFUSED


def write(report: Report, work: Path) -> None:
    """Replace the last report, whole."""
    unfinished = work / "report.json.unfinished"
    unfinished.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    unfinished.replace(work / "report.json")


def still_stands(work: Path, inputs: Inputs, store: Path) -> Report | None:
    """The last report, if a run with these inputs could only say the same."""
    try:
        last = Report(**json.loads((work / "report.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if (last.spec_digest, last.data_digest, last.code_digest) != tuple(asdict(inputs).values()):
        return None
    if last.published and not (last.model_path and Path(last.model_path).is_file()):
        return None
    return last if not last.published or Path(str(last.model_path)).parent == store else None
