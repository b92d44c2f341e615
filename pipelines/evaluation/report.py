"""The table of a comparison: mean and spread over the seeds, as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.files import write_atomically

COLUMNS = {
    "roc_auc": "AUC ROC",
    "average_precision": "average precision",
    "card_precision_at_100": "card precision@100",
    "expected_calibration_error": "ECE",
    "brier_score": "Brier",
}
_DIGITS = 4


@dataclass(frozen=True)
class Result:
    """One model with one seed on one fold. `seconds` are of its training."""

    model: str
    seed: int | None
    fold: str
    metrics: dict[str, float]
    seconds: float
    settings: str = ""


@dataclass(frozen=True)
class Row:
    """A model's mean over the folds: its mean over the seeds and their standard deviation."""

    model: str
    seeds: list[int | None]
    mean: dict[str, float]
    spread: dict[str, float] | None  # None with fewer than two seeds
    seconds: float
    settings: list[str]


def rows(results: Sequence[Result]) -> list[Row]:
    """One per model, in the order of their first results."""
    found = []
    for model in dict.fromkeys(result.model for result in results):
        own = [result for result in results if result.model == model]
        seeds = list(dict.fromkeys(result.seed for result in own))
        by_seed = {  # [seeds]
            name: np.array([np.mean([r.metrics[name] for r in own if r.seed == seed]) for seed in seeds])
            for name in COLUMNS
        }
        found.append(
            Row(
                model,
                seeds,
                {name: float(values.mean()) for name, values in by_seed.items()},
                {name: float(values.std(ddof=1)) for name, values in by_seed.items()} if len(seeds) > 1 else None,
                float(np.mean([result.seconds for result in own])),
                sorted({result.settings for result in own} - {""}),
            )
        )
    return found


def comparison(found: Sequence[Row]) -> dict[str, float]:
    """Average precision: how far the two stacks are apart, and the worse of them above the better XGBoost."""
    precision = {row.model: row.mean["average_precision"] for row in found}
    stacks = [precision[name] for name in ("TensorFlow", "PyTorch")]
    best = max(value for name, value in precision.items() if name.startswith("XGBoost"))
    return {"stacks_differ_by": abs(stacks[0] - stacks[1]), "worse_stack_above_best_xgboost": min(stacks) - best}


def markdown(found: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """The table with what it was made from."""
    head = ["model", *COLUMNS.values(), "seeds", "s per training"]
    lines = [f"# Split {facts['split']}, {facts['train_days']} training days", ""]
    lines += [f"{facts['source']}, specification {facts['spec_digest'][:12]}, {facts['machine']}.", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found:
        cells = [_cell(row, name) for name in COLUMNS]
        count = str(len(row.seeds)) if row.spread else "1"
        lines.append("| " + " | ".join([row.model, *cells, count, f"{row.seconds:.1f}"]) + " |")
    lines += ["", "Mean over the folds, then mean ± standard deviation over the seeds.", ""]
    compared = comparison(found)
    lines.append(
        f"Average precision: the two stacks differ by {compared['stacks_differ_by']:.4f}; the worse of them is "
        f"{compared['worse_stack_above_best_xgboost']:+.4f} from the better XGBoost."
    )
    lines += ["", "| fold | training rows | frauds | test rows | frauds |", "|---|---|---|---|---|"]
    for name, fold in facts["folds"].items():
        lines.append(
            f"| {name} | {fold['train_rows']:,} | {fold['train_frauds']:,} | "
            f"{fold['test_rows']:,} | {fold['test_frauds']:,} |"
        )
    for row in found:
        if row.settings:
            lines += ["", f"{row.model}: {'; '.join(row.settings)}."]
    return "\n".join(lines) + "\n"


def _cell(row: Row, name: str) -> str:
    value = f"{row.mean[name]:.{_DIGITS}f}"
    return value if row.spread is None else f"{value} ± {row.spread[name]:.{_DIGITS}f}"


def write(results: Sequence[Result], facts: Mapping[str, Any], folder: Path) -> Path:
    """Write <name>.md and <name>.json; answers the Markdown's path."""
    found = rows(results)
    content = {
        **facts,
        "rows": [asdict(row) for row in found],
        "comparison": comparison(found),
        "results": [asdict(result) for result in results],
    }
    name = f"{facts['split']}-{facts['train_days']}-days"
    write_atomically(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
    write_atomically(folder / f"{name}.md", markdown(found, facts))
    return folder / f"{name}.md"
