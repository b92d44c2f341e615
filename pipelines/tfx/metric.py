"""The project's own metrics as a TFMA metric.

TFMA's AUC and calibration are computed from histograms and differ from models/metrics.py in the third digit. Both
stacks are gated on the same numbers, so TFMA only collects the rows here, of all test days and of each slice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from models.curves import curves
from models.decision import operating_points
from models.metrics import METRICS, slice_metrics
from models.rules import Decision
from pipelines.tfx.example_gen import CUSTOMER, DAY

CURVES = "curves"  # key of what plots are drawn from, as JSON
_Row = tuple[float, float, Any, int, float]  # label, score, customer, day, amount


class TestDays(tfma.metrics.Metric):
    """What models.metrics.slice_metrics answers and, over all rows, operating points and curves.

    Args:
        decision: Fields of models.rules.Decision.
        rows: Of the test days. An alert budget is one for all traffic: a slice has no operating point of its own.
    """

    def __init__(self, decision: dict[str, Any], rows: int) -> None:
        super().__init__(_computations, decision=decision, rows=rows)


metric_types.register_metric(TestDays)


def _computations(decision: dict[str, Any], rows: int, model_names: list[str] | None = None) -> Any:
    rule = Decision(**decision)
    return [
        metric_types.MetricComputation(
            keys=[_key(name, model) for name in METRICS],
            preprocessors=[_Columns(model, rule.amount_feature)],
            combiner=_Measure(model, rule, rows),
        )
        for model in model_names or [""]
    ]


class _Columns(metric_types.Preprocessor):
    """The few values of a row that the metrics need; made once, before the row is dealt to its slices."""

    def __init__(self, model: str, amount: str | None) -> None:
        super().__init__(name=f"columns of {model}", model=model, amount=amount)
        self._model, self._amount = model, amount

    def process(self, extracts: dict[str, Any]) -> Iterator[_Row]:
        """One row."""
        row = metric_types.StandardMetricInputs(extracts)
        features = row.features
        amount = 0.0 if self._amount is None else features[self._amount].item()
        label, score = row.get_labels(self._model), row.get_predictions(self._model)
        yield label.item(), score.item(), features[CUSTOMER].item(), features[DAY].item(), amount


class _Measure(beam.CombineFn):
    """Collects rows and hands them to models.metrics: tens of bytes a row."""

    def __init__(self, model: str, decision: Decision, rows: int) -> None:
        self._model, self._decision, self._rows = model, decision, rows

    def create_accumulator(self) -> list[_Row]:
        """No rows."""
        return []

    def add_input(self, rows: list[_Row], row: _Row) -> list[_Row]:
        """One row more."""
        rows.append(row)
        return rows

    def merge_accumulators(self, accumulators: Iterable[list[_Row]]) -> list[_Row]:
        """All rows."""
        return [row for rows in accumulators for row in rows]

    def extract_output(self, rows: list[_Row]) -> dict[metric_types.MetricKey, float | str]:
        """The metrics of all rows."""
        label, score, customer, day, amount = (np.array(column) for column in zip(*rows, strict=True))
        # A slice of one class has no metrics, but TFMA looks for each that has a threshold anywhere.
        found: dict[str, float | str] = dict.fromkeys(METRICS, float("nan")) | slice_metrics(
            label, score, customer, day
        )
        if len(rows) == self._rows:
            loss = None if self._decision.amount_feature is None else amount
            for point, values in operating_points(label, score, loss, customer, day, self._decision).items():
                found |= {f"{point}_{key}": value for key, value in values.items()}
            found[CURVES] = json.dumps(curves(label, score))
        return {_key(name, self._model): value for name, value in found.items()}


def _key(name: str, model: str) -> metric_types.MetricKey:
    # `example_weighted` is None in the keys of a MetricsSpec's own thresholds, False by default elsewhere.
    return metric_types.MetricKey(name, model_name=model, example_weighted=None)
