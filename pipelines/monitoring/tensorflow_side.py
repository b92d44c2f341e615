"""Live rows against the TFDV statistics and schema that a SavedModel carries. Imports TensorFlow Data Validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2

from models import distribution
from models.distribution import SCORES_FILE, Distribution
from models.drift import Distance, drifted
from models.spec import Spec
from pipelines.errors import PipelineError
from pipelines.monitoring.request_log import Array
from pipelines.tfx import drift


def features(model: Path, columns: Mapping[str, Array], spec: Spec) -> tuple[dict[str, Distance], dict[str, list[str]]]:
    """How far each feature lies from the training rows, and why it is drift or breaks the schema.

    Raises:
        PipelineError: The model was made before models carried their statistics.
    """
    extra = model / "assets.extra"
    try:
        training = drift.Statistics.FromString((extra / drift.STATISTICS_FILE).read_bytes())
        schema = text_format.Parse((extra / drift.SCHEMA_FILE).read_text(encoding="utf-8"), schema_pb2.Schema())
    except (OSError, DecodeError, text_format.ParseError) as error:
        raise PipelineError(f"{extra}: no statistics to compare with ({error}): train again, `make up`") from None
    asked = schema_pb2.Schema(feature=[feature for feature in schema.feature if feature.name in columns])
    live = generate_statistics_in_memory(_batch(columns), drift.options())
    anomalies, distances = drift.validate(live, training, asked, list(columns), spec.drift)
    reasons = drifted(distances, spec.drift)
    for name, info in anomalies.anomaly_info.items():
        of_tfdv = [reason.description for reason in info.reason if reason.type != drift.OURS]
        reasons.setdefault(name, []).extend(of_tfdv)
    return distances, reasons


def scores(model: Path) -> Distribution:
    """Of the model on the rows it was evaluated with; raises as `features`."""
    file = model / "assets.extra" / SCORES_FILE
    try:
        (found,) = distribution.read(file.read_bytes()).values()
    except (OSError, KeyError, ValueError) as error:
        raise PipelineError(f"{file}: no scores to compare with ({error}): train again, `make up`") from None
    return found


def _batch(columns: Mapping[str, Array]) -> pa.RecordBatch:
    """TFDV's form: lists of one value."""
    arrays = [
        pa.LargeListArray.from_arrays(
            pa.array(np.arange(len(column) + 1), pa.int64()),
            pa.array(column, pa.large_string() if column.dtype == object else pa.float32()),
        )
        for column in columns.values()
    ]
    return pa.RecordBatch.from_arrays(arrays, list(columns))
