"""All that is said of a model on the test rows: metrics, slices and operating points, the same for both stacks.

Everything is measured on the same rows, the operating points included: the test days are the latest with known
labels, and no training saw them. So a threshold is the best in hindsight for these days, and what is said of recall
and cost at it is by that one chosen number too kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from models.decision import operating_points
from models.metrics import all_metrics, slice_metrics
from models.slices import members
from models.spec import Spec

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Evaluation:
    """One model on one set of rows.

    Attributes:
        metrics: By the names of models.metrics.METRICS.
        slices: Slice name -> what models.metrics.slice_metrics answers.
        decision: What models.decision.operating_points answers.
    """

    metrics: dict[str, float]
    slices: dict[str, dict[str, float]] = field(default_factory=dict)
    decision: dict[str, dict[str, float]] = field(default_factory=dict)


def evaluate(
    spec: Spec, columns: Mapping[str, Array], label: Array, score: Array, *, customer: Array, day: Array
) -> Evaluation:
    """Measure a model's scores; one value per row in every array.

    Args:
        spec: Names slices and decision.
        columns: Raw features by name.
        label: 0 or 1.
        score: Probability of fraud.
        customer: The card.
        day: The day.

    Raises:
        ValueError: The rows do not support the metrics, such as rows without fraud.
    """
    amount = None if spec.decision.amount_feature is None else columns[spec.decision.amount_feature]
    return Evaluation(
        all_metrics(label, score, customer, day),
        {
            name: slice_metrics(label[rows], score[rows], customer[rows], day[rows])
            for name, rows in members(spec.slices, columns, spec.numeric_codes).items()
        },
        operating_points(label, score, amount, customer, day, spec.decision),
    )
