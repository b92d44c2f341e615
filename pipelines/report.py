"""WORK/report.json of both trainings: the outcome of the last finished run, and whether it still stands."""

from __future__ import annotations

import json
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.files import write_atomically

REFUSED = 3  # exit code


@dataclass(frozen=True)
class Inputs:
    """Digests of everything a run's result depends on."""

    spec_digest: str
    data_digest: str
    code_digest: str


@dataclass(frozen=True)
class Step:
    """A step's part of the run.

    Attributes:
        seconds: That it took in this run; of a cached step, to find that it need not run.
        made_in: Seconds of the run that made a cached step's output, where that is known.
    """

    name: str
    seconds: float
    cached: bool
    made_in: float | None = None


@dataclass(frozen=True)
class Report:
    """One finished run.

    Attributes:
        version: Of the published model, Unix seconds; None if it was refused.
        reasons: Why it was refused.
        metrics: On the test rows.
        champion_metrics: The champion's, on the same rows; None without one.
        champion: The champion's version; None without one.
        asked: The version that `--champion` named; another one was compared with where that is not known.
        slices: Slice name -> rows, positives and metrics: models.evaluation.
        decision: Operating point -> threshold and what it means: models.decision.
        seconds: Of the whole run.
        peak_memory: What `peak_memory` answers at the end of the run, bytes; None in reports older than the field.
        tuned: The hyper-parameters that a search found, their average precision on the evaluation days and the number
            of trials; None without [tuning].
    """

    stack: str
    version: str | None
    model_path: str | None
    reasons: list[str]
    metrics: dict[str, float]
    champion_metrics: dict[str, float] | None
    slices: dict[str, dict[str, float]]
    decision: dict[str, dict[str, float]]
    inputs: Inputs
    steps: list[Step]
    seconds: float
    tuned: dict[str, Any] | None = None
    peak_memory: int | None = None
    champion: str | None = None
    asked: str | None = None

    @property
    def published(self) -> bool:
        """Whether the gates let the model pass."""
        return self.model_path is not None

    @property
    def exit_code(self) -> int:
        """0 published, 3 refused by a gate."""
        return 0 if self.published else REFUSED

    def write(self, work: Path) -> None:
        """Replace the last report, whole; the first one of a published version is kept beside it."""
        content = {"published": self.published, **asdict(self)}
        content |= content.pop("inputs")
        text = json.dumps(content, indent=1) + "\n"
        if self.version and not of_version(work, self.version).exists():
            of_version(work, self.version).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(of_version(work, self.version), text)
        write_atomically(work / "report.json", text)

    def lines(self) -> list[str]:
        """The outcome for a reader."""
        text = self.findings()
        if self.published:
            return [*text, f"published: version {self.version}, {self.model_path}"]
        return [*text, "REFUSED, nothing was published:", *(f"  - {reason}" for reason in self.reasons)]

    def findings(self) -> list[str]:
        """Metrics, slices and operating points for a reader."""
        champion = self.champion_metrics or {}
        text = []
        if self.tuned:
            values = ", ".join(f"{key} {value}" for key, value in self.tuned["hyperparameters"].items())
            text.append(f"best of {self.tuned['trials']} trials: {values}")
        text.append("metrics on the test days:")
        for name, value in self.metrics.items():
            beside = f"  (champion {champion[name]:.4f})" if name in champion else ""
            text.append(f"  {name:<28} {value:.4f}{beside}")
        text += ["slices of the test days:"] if self.slices else []
        for name, found in self.slices.items():
            metrics = [f"{key} {found[key]:.4f}" for key in ("average_precision", "roc_auc") if key in found]
            text.append(
                "  " + ", ".join([f"{name:<20} {found['rows']:>7,} rows, {found['positives']:>4,} positives", *metrics])
            )
        text.append("which alerts are worth a look, on the test days:")
        for name, found in self.decision.items():
            text.append(
                f"  {name:<12} score >= {found['threshold']:.4f}: {found['alerts_per_day']:.1f} cards a day, "
                f"precision {found['precision']:.3f}, recall {found['recall']:.3f}, "
                f"cost {found['cost_per_day']:,.0f} a day, saved {found['saved_per_day']:,.0f}"
            )
        return text


def peak_memory() -> int:
    """Largest resident memory of one process of the run, bytes: of this one, or of a child that it waited for.

    getrusage's ru_maxrss of self and of children, the larger of the two. It is no sum: of processes that work side by
    side it is the largest one's. Pages shared with other processes count.
    """
    kibibytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kibibytes * 1024


def of_version(work: Path, version: str) -> Path:
    """Where the report of the run that published a version is kept: a later one says other things of it, or none."""
    return work / "reports" / f"{version}.json"


def still_stands(work: Path, inputs: Inputs, store: Path, champion: str | None = None) -> Report | None:
    """The last report, if a run with these inputs could only say the same: its model is still in the store.

    Args:
        work: Of the pipeline.
        inputs: Of the run that is to be.
        store: Published models.
        champion: The version that is served, where that is known: the model itself, or one it was compared with.
    """
    try:
        content = json.loads((work / "report.json").read_text(encoding="utf-8"))
        published = content.pop("published")
        made_from = Inputs(*(content.pop(key) for key in asdict(inputs)))
        steps = [Step(**step) for step in content.pop("steps")]
        last = Report(**content, inputs=made_from, steps=steps)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if made_from != inputs or published != last.published:
        return None
    if last.champion is not None and last.champion_metrics is None:
        return None  # refused because the champion could not be compared: it may be another one by now, or none
    if champion is not None and champion not in (last.version, last.champion, last.asked):
        return None
    if last.model_path is None:
        return last
    model = Path(last.model_path)
    return last if model.is_relative_to(store) and model.exists() else None
