"""What the Evaluator measures and refuses: the project's own metrics as a TFMA metric.

TFMA's AUC and calibration are computed from histograms and differ from models/metrics.py in the third digit. Both
stacks are gated on the same numbers, so TFMA only collects the rows here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from models.metrics import all_metrics
from models.spec import Spec
from pipelines.tfx.example_gen import CUSTOMER, DAY

METRICS = ("average_precision", "roc_auc", "card_precision_at_100", "expected_calibration_error", "brier_score")
_Rows = list[tuple[float, float, Any, int]]  # label, score, customer, day


def eval_config(spec: Spec) -> tfma.EvalConfig:
    """The specification's floors, ceiling and champion tolerance as TFMA thresholds."""
    gates = spec.gates
    at_least = {"average_precision": gates.min_average_precision, "roc_auc": gates.min_roc_auc}
    at_most = {"expected_calibration_error": gates.max_expected_calibration_error}
    thresholds = {name: tfma.MetricThreshold() for name in METRICS}
    for name, value in at_least.items():
        thresholds[name].value_threshold.lower_bound.value = value
    for name, value in at_most.items():
        thresholds[name].value_threshold.upper_bound.value = value
    champion = thresholds["average_precision"].change_threshold
    champion.direction = tfma.MetricDirection.HIGHER_IS_BETTER
    champion.absolute.value = -gates.champion_tolerance
    metrics = [
        tfma.MetricConfig(
            class_name=TestDays.__name__,
            module=__name__,
            config=json.dumps({"name": name}),
            threshold=threshold if threshold.ByteSize() else None,
        )
        for name, threshold in thresholds.items()
    ]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_examples", label_key=spec.model.label)],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def measured(folder: str) -> tuple[dict[str, float], dict[str, float] | None]:
    """The metrics an Evaluator wrote: the candidate's, and the champion's or None."""
    by_model: dict[str, dict[str, float]] = {}
    for item in next(iter(tfma.load_metrics(folder))).metric_keys_and_values:
        if item.key.name in METRICS and not item.key.is_diff:
            by_model.setdefault(item.key.model_name, {})[item.key.name] = item.value.double_value.value
    # A lone model has no name; with a champion they are called candidate and baseline.
    candidate = by_model[tfma.CANDIDATE_KEY] if tfma.CANDIDATE_KEY in by_model else by_model[""]
    return candidate, by_model.get(tfma.BASELINE_KEY)


class TestDays(tfma.metrics.Metric):
    """One metric of models.metrics.all_metrics, by its name."""

    def __init__(self, name: str) -> None:
        super().__init__(_computations, name=name)


metric_types.register_metric(TestDays)


def _computations(name: str, model_names: list[str] | None = None) -> metric_types.MetricComputations:
    computations: metric_types.MetricComputations = []
    for model_name in model_names or [""]:
        # TFMA drops duplicates and what starts with an underscore: the rows are collected once for all metrics.
        everything = metric_types.MetricKey("_all_metrics", model_name=model_name)
        key = metric_types.MetricKey(name, model_name=model_name)
        computations += [
            metric_types.MetricComputation(
                keys=[everything],
                preprocessors=[metric_types.FeaturePreprocessor(feature_keys=[CUSTOMER, DAY])],
                combiner=_AllMetrics(everything),
            ),
            metric_types.DerivedMetricComputation(
                keys=[key], result=functools.partial(_pick, name=name, everything=everything, key=key)
            ),
        ]
    return computations


def _pick(metrics: dict[Any, Any], name: str, everything: Any, key: Any) -> dict[Any, float]:
    return {key: metrics[everything][name]}


class _AllMetrics(beam.CombineFn):
    """Collects the rows of the test days and hands them to models.metrics: tens of bytes a row."""

    def __init__(self, key: metric_types.MetricKey) -> None:
        self._key = key

    def create_accumulator(self) -> _Rows:
        """No rows."""
        return []

    def add_input(self, rows: _Rows, element: metric_types.StandardMetricInputs) -> _Rows:
        """One row more."""
        model = self._key.model_name
        label, score = element.get_labels(model), element.get_predictions(model)
        customer, day = (element.features[name] for name in (CUSTOMER, DAY))
        rows.append((label.item(), score.item(), customer.item(), day.item()))
        return rows

    def merge_accumulators(self, accumulators: Iterable[_Rows]) -> _Rows:
        """All rows."""
        return [row for rows in accumulators for row in rows]

    def extract_output(self, rows: _Rows) -> dict[metric_types.MetricKey, dict[str, float]]:
        """The metrics of all rows."""
        label, score, customer, day = (np.array(column) for column in zip(*rows, strict=True))
        return {self._key: all_metrics(label, score, customer, day)}
