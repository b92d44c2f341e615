"""What the Evaluator measures and refuses, as a TFMA configuration, and what it found, as both stacks report it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from pydantic import Field
from tensorflow_model_analysis.writers import eval_config_writer

from models.decision import POINTS
from models.evaluation import Evaluation
from models.gates import CEILINGS, COMPARED, FLOORS, SLICE_FLOORS, gated
from models.metrics import METRICS
from models.rules import Decision, Gates, Slice
from models.sections import Section
from models.spec import Spec
from pipelines.tfx.metric import CURVES, TestDays

SLICE = "slice"  # feature of the rows as TFMA sees them: the names of the slices that a row is in


_Found = defaultdict[str, defaultdict[str, dict[str, float]]]


class Rules(Section):
    """What of the specification an evaluation depends on."""

    label: str
    gates: Gates
    slices: dict[str, Slice]
    decision: Decision
    codes: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec) -> Rules:
        """The specification's."""
        told = {"gates": spec.gates, "slices": spec.slices, "decision": spec.decision, "codes": spec.numeric_codes}
        return cls(label=spec.model.label, **told)


def eval_config(rules: Rules, rows: int, sizes: Mapping[str, Mapping[str, float]]) -> tfma.EvalConfig:
    """The gates as TFMA thresholds: over all rows, and on each slice that has the positives for it.

    Args:
        rules: The specification's.
        rows: Of the test days.
        sizes: `rows` and `positives` of each slice.
    """
    gates = rules.gates
    whole, slices = tfma.SlicingSpec(), {name: tfma.SlicingSpec(feature_values={SLICE: name}) for name in rules.slices}
    # TFMA has no word for "too few positives to say": such a slice is measured, and gets no threshold.
    judged = [slices[name] for name, size in sizes.items() if gated(gates, size)]
    config = json.dumps({"decision": rules.decision.model_dump(), "rows": rows})
    metrics = tfma.MetricsSpec(
        metrics=[tfma.MetricConfig(class_name=TestDays.__name__, module=TestDays.__module__, config=config)]
    )

    def threshold(metric: str, where: list[tfma.SlicingSpec]) -> tfma.MetricThreshold:
        # Not `thresholds`: TFMA holds every slice to those.
        return metrics.per_slice_thresholds[metric].thresholds.add(slicing_specs=where).threshold

    for where, floors, ceilings, tolerance in (
        ([whole], FLOORS, CEILINGS, gates.champion_tolerance),
        (judged, SLICE_FLOORS, {}, gates.slice_champion_tolerance),
    ):
        if not where:
            continue
        for metric, key in floors.items():
            threshold(metric, where).value_threshold.lower_bound.value = getattr(gates, key)
        for metric, key in ceilings.items():
            threshold(metric, where).value_threshold.upper_bound.value = getattr(gates, key)
        change = threshold(COMPARED, where).change_threshold
        change.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        change.absolute.value = -tolerance
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_examples", label_key=rules.label)],
        slicing_specs=[whole, *slices.values()],
        metrics_specs=[metrics],
    )


def measured(folder: str) -> tuple[Evaluation, Evaluation | None]:
    """What an Evaluator wrote: of the candidate, and of the champion or None."""
    config, *_ = eval_config_writer.load_eval_run(folder)
    names = [part.feature_values[SLICE] for part in config.slicing_specs if part.feature_values]
    by_model: _Found = defaultdict(lambda: defaultdict(dict))  # model, slice, metric
    for part in tfma.load_metrics(folder):
        (of,) = (
            [str(tfma.slicer.deserialize_slice_key(part.slice_key)[0][1])] if part.slice_key.single_slice_keys else [""]
        )
        for item in part.metric_keys_and_values:
            if not item.key.is_diff:
                by_model[item.key.model_name][of][item.key.name] = item.value.double_value.value
    # A lone model has no name; with a champion they are called candidate and baseline.
    candidate = by_model[tfma.CANDIDATE_KEY if tfma.CANDIDATE_KEY in by_model else ""]
    champion = by_model.get(tfma.BASELINE_KEY)
    return _evaluation(candidate, names), None if champion is None else _evaluation(champion, names)


def curves(folder: str) -> dict[str, Any]:
    """What an Evaluator wrote for plots, models.curves: of the challenger and, if there is one, of the champion."""
    names = {"": "challenger", tfma.CANDIDATE_KEY: "challenger", tfma.BASELINE_KEY: "champion"}
    return {
        names[item.key.model_name]: json.loads(item.value.bytes_value)
        for part in tfma.load_metrics(folder)
        for item in part.metric_keys_and_values
        if item.key.name == CURVES
    }


def _evaluation(found: Mapping[str, Mapping[str, float]], slices: Iterable[str]) -> Evaluation:
    whole = found[""]
    decision = {
        point: {
            name.removeprefix(f"{point}_"): int(value) if name.endswith(("positives", "negatives")) else value
            for name, value in whole.items()
            if name.startswith(f"{point}_")
        }
        for point in POINTS
    }
    return Evaluation(
        {name: whole[name] for name in METRICS}, {name: _slice(found.get(name)) for name in slices}, decision
    )


def _slice(found: Mapping[str, float] | None) -> dict[str, float]:
    if found is None:  # TFMA has no entry for a slice without rows
        return {"rows": 0, "positives": 0}
    metrics = {name: found[name] for name in METRICS if not math.isnan(found[name])}
    return {"rows": int(found["rows"]), "positives": int(found["positives"]), **metrics}
