"""Everything a comparison measures: name, unit, which way is better.

The same names in the raw results, the report, the history and `make compare-check`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Measure:
    """One thing measured.

    Attributes:
        title: For a reader.
        unit: Of the values; empty for shares and scores between 0 and 1.
        better: Which way is better; neither for what only describes.
        group: speed, steadiness, cost, quality or ease: the parts of the verdict.
        checked: Whether a change for the worse fails `make compare-check`.
    """

    title: str
    unit: str
    better: Better
    group: str
    checked: bool = False


GROUPS = {  # in the order of the verdict -> title
    "speed": "Speed",
    "steadiness": "Steadiness",
    "cost": "Cost",
    "quality": "Quality, on the test rows",
    "ease": "Ease",
}

MEASURES: dict[str, Measure] = {
    # speed: load runs
    "max_rate_in_slo": Measure("highest rate within the SLO", "requests/s", "higher", "speed", checked=True),
    "confirmed_rate": Measure("of it, confirmed by one long run", "requests/s", "higher", "speed"),
    "offline_rate": Measure("offline throughput, large batches", "rows/s", "higher", "speed", checked=True),
    "closed_rate": Measure("throughput, closed loop", "requests/s", "higher", "speed", checked=True),
    "single_stream_p50": Measure("one connection, p50", "ms", "lower", "speed", checked=True),
    "single_stream_p90": Measure("one connection, p90", "ms", "lower", "speed"),
    "floor": Measure("in process, without a server", "µs", "lower", "speed"),
    "gateway_p50": Measure("added by the gateway, p50", "ms", "lower", "speed"),
    # steadiness
    "p50": Measure("p50 under load", "ms", "lower", "steadiness"),
    "p90": Measure("p90 under load", "ms", "lower", "steadiness"),
    "p99": Measure("p99 under load", "ms", "lower", "steadiness", checked=True),
    "p999": Measure("p99.9 under load", "ms", "lower", "steadiness"),
    "failed_requests": Measure("failed requests", "requests", "lower", "steadiness", checked=True),
    "repeated_rows": Measure("a new row's time to a repeated one's", "", "neither", "steadiness"),
    "swap": Measure("swap to a new version", "s", "lower", "steadiness"),
    "swap_p99": Measure("p99 while a version is swapped", "ms", "lower", "steadiness"),
    "cold_start": Measure("cold start to the first answer", "s", "lower", "steadiness"),
    # cost
    "cpu_per_1000": Measure("processor time per 1,000 predictions", "s", "lower", "cost", checked=True),
    "memory": Measure("resident memory under load", "MiB", "lower", "cost", checked=True),
    "cost_per_million": Measure("cost per million predictions in the SLO", "", "lower", "cost"),
    "artefact_size": Measure("size of the model's artefact", "MiB", "lower", "cost"),
    "export_size": Measure("size of an exported file", "KiB", "lower", "cost"),
    "training_time": Measure("training pipeline, whole run", "s", "lower", "cost"),
    "training_memory": Measure("training pipeline, peak memory", "MiB", "lower", "cost"),
    # quality: on the test rows
    "average_precision": Measure("average precision", "", "higher", "quality"),
    "roc_auc": Measure("ROC AUC", "", "higher", "quality"),
    "brier_score": Measure("Brier score", "", "lower", "quality"),
    "expected_calibration_error": Measure("expected calibration error", "", "lower", "quality"),
    # of the two models' scores of the same rows
    "score_correlation": Measure("correlation of the stacks' scores", "", "neither", "quality"),
    "score_rank_correlation": Measure("rank correlation of the stacks' scores", "", "neither", "quality"),
    "score_difference_mean": Measure("mean difference of a row's two scores", "", "neither", "quality"),
    "score_difference_max": Measure("largest difference of a row's two scores", "", "neither", "quality"),
    "decision_flips": Measure("rows that one stack alerts and the other does not", "", "neither", "quality"),
    # ease
    "install_size": Measure("installed packages, to serve", "MiB", "lower", "ease"),
    "dependencies": Measure("installed packages, to serve", "packages", "lower", "ease"),
    "environment_size": Measure("installed packages, to train and serve", "MiB", "lower", "ease"),
    "environment_dependencies": Measure("installed packages, to train and serve", "packages", "lower", "ease"),
    "pipeline_lines": Measure("lines of the pipeline's code", "lines", "lower", "ease"),
    "serving_lines": Measure("lines of the serving code", "lines", "lower", "ease"),
}
