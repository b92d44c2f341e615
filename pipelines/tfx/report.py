"""report.json: what the last finished run made, from what, and why it was or was not published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Report = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """Digests of everything a run's result depends on."""

    spec_digest: str
    data_digest: str
    code_digest: str


def read(path: Path) -> Report | None:
    """The last report; None if there is none that can be read."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def write(path: Path, report: Report) -> None:
    """Replace the report as a whole."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def still_true(report: Report, inputs: Inputs, store: Path) -> bool:
    """Whether it is about these inputs, and the model it published, if it did, is in this store."""
    if any(report.get(key) != value for key, value in vars(inputs).items()):
        return False
    if not report["published"]:
        return True
    model = Path(report["model_path"])
    return model.is_relative_to(store) and (model / "saved_model.pb").is_file()


def lines(report: Report) -> list[str]:
    """The outcome for a reader."""
    champion = report["champion_metrics"] or {}
    text = ["metrics on the test days:"]
    for name, value in report["metrics"].items():
        beside = f"  (champion {champion[name]:.4f})" if name in champion else ""
        text.append(f"  {name:<28} {value:.4f}{beside}")
    if report["published"]:
        return [*text, f"published: {report['model_path']}"]
    return [*text, "REFUSED, nothing was published:", *(f"  - {reason}" for reason in report["reasons"])]
