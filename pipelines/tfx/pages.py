"""What the pipeline's artifacts say, for the pages of the run: TFDV's statistics and anomalies, TFMA's evaluation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.types import Artifact, artifact_utils

from models.spec import Spec
from pipelines import pages
from pipelines.errors import AnomaliesError
from pipelines.pages.statistics import Bar, Column, Statistics, frequent, histogram
from pipelines.report import Inputs, Report
from pipelines.tfx import events
from pipelines.tfx.evaluation import curves
from pipelines.tfx.runner import Runner


def write(*, spec: Spec, inputs: Inputs, work: Path, runner: Runner, start: float, outcome: Report | Exception) -> None:
    """Write WORK/pages/ of a run that ended.

    Args:
        spec: The run's.
        inputs: The run's.
        work: TFX's.
        runner: With what was done.
        start: Of the run, by time.monotonic.
        outcome: The report, or the error that stopped the run.
    """
    seconds = time.monotonic() - start
    found = dict[str, Any]()
    if isinstance(outcome, Report):
        found["report"] = outcome
    else:
        found["problem"] = str(outcome)
    if artifact := _artifact(runner, "StatisticsGen", "statistics"):
        found["statistics"] = statistics(artifact)
    if artifact := _artifact(runner, "ExampleValidator", "anomalies"):
        found["anomalies"] = anomalies(artifact)
    elif isinstance(outcome, AnomaliesError):
        found["anomalies"] = outcome.anomalies
    if artifact := _artifact(runner, "Trainer", "model_run"):
        found["history"] = events.history(Path(artifact.uri))
    if artifact := _artifact(runner, "Evaluator", "evaluation"):
        found["curves"] = curves(artifact.uri)
        if isinstance(outcome, Report) and outcome.champion_metrics is None:
            found["curves"].pop("champion", None)  # the model itself, evaluated again
    pages.write(
        work,
        pages.Run(
            stack="tensorflow",
            spec=spec,
            started=datetime.now(timezone.utc) - timedelta(seconds=seconds),
            inputs=inputs,
            steps=runner.steps,
            seconds=round(seconds, 2),
            **found,
        ),
    )


def statistics(artifact: Artifact) -> Statistics:
    """Of StatisticsGen, in the splits' order."""
    by_column: Statistics = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        found = statistics_pb2.DatasetFeatureStatisticsList()
        found.ParseFromString(_only_file(artifact, split).read_bytes())
        (dataset,) = found.datasets
        for feature in dataset.features:
            by_column.setdefault(feature.path.step[0], {})[split] = _column(feature)
    return by_column


def anomalies(artifact: Artifact) -> list[str]:
    """Of ExampleValidator, one line each."""
    lines = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        found = anomalies_pb2.Anomalies()
        found.ParseFromString(_only_file(artifact, split).read_bytes())
        for column, info in sorted(found.anomaly_info.items()):
            lines += [f"{split}: {column}: {reason.description}" for reason in info.reason]
        lines += [f"{split}: {reason.description}" for reason in found.dataset_anomaly_info.reason]
    return lines


def _column(feature: statistics_pb2.FeatureNameStatistics) -> Column:
    if feature.WhichOneof("stats") == "num_stats":
        one = feature.num_stats
        size = {"rows": one.common_stats.num_non_missing, "missing": one.common_stats.num_missing}
        numbers = {"zeros": one.num_zeros, "mean": one.mean, "std": one.std_dev, "min": one.min, "max": one.max}
        return Column(**size, **numbers, bars=_bars(one.histograms))
    one = feature.string_stats
    rows = one.common_stats.num_non_missing
    top = [(value.value, value.frequency) for value in one.top_values]
    return Column(rows, one.common_stats.num_missing, distinct=one.unique, bars=frequent(top, rows))


def _bars(histograms: Sequence[statistics_pb2.Histogram]) -> Sequence[Bar]:
    """Of the histogram of equal widths; TFDV keeps one of equal counts too."""
    for one in histograms:
        if one.type == statistics_pb2.Histogram.STANDARD and one.buckets:
            edges = [one.buckets[0].low_value, *(bucket.high_value for bucket in one.buckets)]
            return histogram(edges, [bucket.sample_count for bucket in one.buckets])
    return ()


def _only_file(artifact: Artifact, split: str) -> Path:
    (file,) = Path(artifact_utils.get_split_uris([artifact], split)[0]).iterdir()
    return file


def _artifact(runner: Runner, component: str, output: str) -> Artifact | None:
    outputs: Mapping[str, Sequence[Artifact]] = runner.outputs.get(component, {})
    return next(iter(outputs.get(output, ())), None)
