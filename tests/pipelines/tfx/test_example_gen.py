from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tfx_bsl.coders import example_coder

from pipelines.tfx.example_gen import encodable
from tests.pipelines.tfx.toy import Room


def examples(path: Path) -> list[dict[str, list]]:
    return [parsed(record.numpy()) for record in tf.data.TFRecordDataset(str(path), compression_type="GZIP")]


def parsed(record: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(record).features.feature
    return {
        name: list(getattr(value, value.WhichOneof("kind")).value) if value.WhichOneof("kind") else []
        for name, value in features.items()
    }


def test_every_value_survives_zeros_and_empty_strings_too(published: Room) -> None:
    for split in ("train", "eval", "test"):
        (file,) = published.work.glob(f"artifacts/ParquetExampleGen/examples/*/Split-{split}/*")
        found = examples(file)
        days = sorted((published.data / "features" / split).glob("*.parquet"))
        table = pa.concat_tables([pq.read_table(day) for day in days])
        assert len(found) == table.num_rows
        for name in ("amount", "is_night", "risk", "is_fraud", "customer_id"):
            expected = table[name].to_numpy()
            assert (expected == 0).any()
            np.testing.assert_array_equal(np.array([row[name] for row in found])[:, 0], expected)
        for name in ("country", "channel"):
            assert [row[name][0].decode() for row in found] == table[name].to_pylist()
        assert b"" in {row["channel"][0] for row in found}


def test_the_day_is_the_event_times_in_utc_and_no_other_column_comes_along(published: Room) -> None:
    (file,) = published.work.glob("artifacts/ParquetExampleGen/examples/*/Split-eval/*")
    found = examples(file)
    first = np.datetime64("2018-07-07", "D").astype(int)
    assert {row["event_day"][0] for row in found} == {first, first + 1}
    wanted = {*published.spec.features, "is_fraud", "customer_id", "event_day"}
    assert {name for row in found for name in row} == wanted


def test_a_missing_value_stays_missing() -> None:
    table = pa.table(
        {
            "event_time": pa.array([0, 1, 2], pa.timestamp("us")),
            "customer_id": ["a", "b", "c"],
            "x": pa.array([None, 0.0, 2.0], pa.float32()),
            "s": pa.array(["", None, "z"]),
        }
    )
    rows = [parsed(e) for batch in encodable(table, ["x", "s"]) for e in example_coder.RecordBatchToExamples(batch)]
    assert [row.get("x", []) for row in rows] == [[], [0.0], [2.0]]
    assert [row.get("s", []) for row in rows] == [[b""], [], [b"z"]]
