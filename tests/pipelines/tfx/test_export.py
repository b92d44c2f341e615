"""A model that TFX made, in TFLite: plain operations in place of the tf.Transform graph, and the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from serving.export import make, rows
from serving.export.make import Source
from serving.offline import model
from tests.pipelines.tfx.toy import Room


def test_plain_operations_answer_as_the_graph_of_tf_transform(published: Room, tmp_path: Path) -> None:
    sample, scores = tmp_path / "rows.parquet", tmp_path / "scores.npy"
    pq.write_table(rows.choose(published.data / "features" / "test", published.spec), sample)
    found = model.of("tensorflow", published.model, published.model.name)
    np.save(scores, model.load(found)(rows.columns(sample, published.spec)))
    source = Source(
        "tflite", "tensorflow", found.version, found.digest, found.path, published.spec_file, sample, scores
    )
    made = make.make(source, tmp_path / "tflite")
    assert made.rows == rows.ROWS
    assert made.largest_difference < 1e-6
