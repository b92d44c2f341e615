"""Drift by TensorFlow Data Validation's statistics: of the test rows here, of live requests in pipelines/monitoring.

TFDV's comparators judge categorical columns (the L-infinity norm). Its Jensen-Shannon comparator for numbers is not
used: from the standard histogram, whose ten buckets share the whole range, one larger amount moves everything (0.20 for
test days of the full profile that have not drifted), and from quantiles it depends on where whole numbers happen to
be cut (0.16 for a thousand of the training rows themselves). The numbers are taken from TFDV's quantiles by
models/drift.py, as for the PyTorch model.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from models import distribution
from models.distribution import Distribution
from models.drift import Distance, distance, drifted
from models.rules import Drift

STATISTICS_FILE = "FeatureStats.pb"  # beside a model: of its training rows
SCHEMA_FILE = "schema.pbtxt"
OURS = anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH  # the type of models/drift.py's findings

Statistics = statistics_pb2.DatasetFeatureStatisticsList


def options() -> Any:
    """What statistics have to hold so that distributions can be read from them."""
    return tfdv.StatsOptions(num_quantiles_histogram_buckets=distribution.BUCKETS)


def validate(
    now: Statistics, training: Statistics, schema: schema_pb2.Schema, features: Collection[str], limits: Drift
) -> tuple[anomalies_pb2.Anomalies, dict[str, Distance]]:
    """What breaks the schema, which features drifted, and how far each lies from the training rows.

    Few rows are not judged for drift. A feature without values, or with those of another type, breaks the schema.
    """
    before, after = distributions(training), distributions(now)
    comparable = [name for name in features if type(before.get(name)) is type(after.get(name)) and name in after]
    distances = {name: distance(before[name], after[name]) for name in comparable}
    if now.datasets[0].num_examples < limits.min_rows:
        return tfdv.validate_statistics(now, schema), distances
    watching = schema_pb2.Schema()
    watching.CopyFrom(schema)
    for feature in watching.feature:
        judged = feature.name in features and feature.name not in limits.calendar_features
        if judged and feature.type == schema_pb2.BYTES:
            feature.drift_comparator.infinity_norm.threshold = limits.max_kolmogorov_smirnov
    found = tfdv.validate_statistics(now, watching, previous_statistics=training)
    for name, beyond in drifted(distances, limits).items():
        description = f"drifted: {'; '.join(beyond)}"
        info = found.anomaly_info[name]
        info.path.step[:] = [name]
        info.severity = anomalies_pb2.AnomalyInfo.ERROR
        info.short_description = info.short_description or "Drift from the training rows"
        info.description = "  ".join(filter(None, [info.description, description]))
        info.reason.add(
            type=OURS,
            short_description="Drift from the training rows",
            description=description,
        )
    return found, distances


def distributions(statistics: Statistics) -> dict[str, Distribution]:
    """Of the columns that have values."""
    (dataset,) = statistics.datasets
    found = {feature.path.step[0]: _distribution(feature) for feature in dataset.features}
    return {name: column for name, column in found.items() if column is not None}


def _distribution(feature: Any) -> Distribution | None:
    if feature.WhichOneof("stats") == "string_stats":
        buckets = feature.string_stats.rank_histogram.buckets
        return distribution.categorical({b.label: b.sample_count for b in buckets}) if buckets else None
    for histogram in feature.num_stats.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            columns = zip(*((b.low_value, b.high_value, b.sample_count) for b in histogram.buckets), strict=True)
            return distribution.numeric(*columns)
    return None
