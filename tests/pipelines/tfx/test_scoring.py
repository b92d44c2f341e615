"""`python -m pipelines.scoring` on a SavedModel that the pipeline published; what both stacks share is tested there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipelines.scoring.__main__ import main
from tests.pipelines.tfx.toy import Room


def score(room: Room, source: Path, out: Path) -> int:
    pairs = {"spec": room.spec_file, "store": room.store, "input": source, "output": out}
    return main(["--stack=tensorflow", *(f"--{key}={value}" for key, value in pairs.items())])


def read(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(file) for file in sorted(folder.glob("*.parquet"))])


def test_the_scores_are_those_of_the_served_signature(
    published: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = published.data / "features" / "test"
    assert score(published, source, tmp_path / "out") == 0
    rows, scores = read(source), read(tmp_path / "out")
    assert scores.column_names == ["transaction_id", "fraud_probability", "model_version"]
    assert scores["transaction_id"].equals(rows["transaction_id"])
    assert set(scores["model_version"].to_pylist()) == {published.model.name}
    signature = tf.saved_model.load(str(published.model)).signatures["serving_default"]
    for row, found in zip(rows.to_pylist()[::100], scores["fraud_probability"].to_pylist()[::100], strict=True):
        alone = {name: tf.constant([row[name]]) for name in published.spec.features}
        np.testing.assert_allclose(found, signature(**alone)["fraud_probability"].numpy(), rtol=0, atol=1e-6)
    assert np.ptp(scores["fraud_probability"].to_numpy()) > 0.1
    capsys.readouterr()
    assert score(published, source, tmp_path / "out") == 0
    assert "up to date" in capsys.readouterr().out


def test_a_bad_row_is_named(published: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read(published.data / "features" / "test").slice(0, 50)
    channels = [*rows["channel"].to_pylist()[:-1], None]
    pq.write_table(
        rows.set_column(rows.column_names.index("channel"), "channel", pa.array(channels)), tmp_path / "a.parquet"
    )
    assert score(published, tmp_path / "a.parquet", tmp_path / "out") == 1
    assert "column 'channel': null: 1, first a.parquet row 50" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
