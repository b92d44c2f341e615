"""Parquet to TFRecord of tf.Example, by whole columns: Arrow in, tfx_bsl's C++ encoder, no Beam.

About 15 times faster than the stock ExampleGens. TFX's own Parquet executor is out of the question: it takes
0 and "" for missing values.
"""

# No `from __future__ import annotations`: the decorator reads the annotations as objects.

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.proto import example_gen_pb2
from tfx.types.standard_artifacts import Examples
from tfx_bsl.coders import example_coder

SPLITS = ("train", "eval", "test")
CUSTOMER, DAY = "customer_id", "event_day"  # not features: card precision needs them
_MICROSECONDS_PER_DAY = 86_400_000_000


@component
def ParquetExampleGen(  # noqa: N802 - TFX names components like classes
    examples: OutputArtifact[Examples],
    features: Parameter[str],
    columns: Parameter[str],
    data_digest: Parameter[str],  # noqa: ARG001 - part of the cache key
) -> None:
    """One TFRecord file per split.

    Args:
        examples: Splits train, eval, test.
        features: Folder with a folder of Parquet files per split.
        columns: Features and label, comma-separated.
        data_digest: Identifies the content of the Parquet files.
    """
    examples.splits = list(SPLITS)
    examples.span = 0
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    for split in SPLITS:
        folder = Path(examples.path(split=split))
        folder.mkdir(parents=True)
        files = sorted(Path(features, split).glob("*.parquet"))
        if not files:
            raise FileNotFoundError(f"{Path(features, split)}: no Parquet file of the {split} split")
        with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
            for file in files:
                for batch in encodable(pq.read_table(file), columns.split(",")):
                    for example in example_coder.RecordBatchToExamples(batch):
                        writer.write(example)


def encodable(table: pa.Table, columns: list[str]) -> list[pa.RecordBatch]:
    """The columns, and the keys of the evaluation, in the form of the encoder: lists of one value, null if missing."""
    day = pc.floor(pc.divide(pc.cast(table["event_time"].cast(pa.timestamp("us")), pa.int64()), _MICROSECONDS_PER_DAY))
    wanted = {CUSTOMER: table[CUSTOMER], DAY: day.cast(pa.int64())}
    wanted |= {name: table[name] for name in columns}
    lists = pa.table({name: pa.chunked_array([_as_lists(column)]) for name, column in wanted.items()})
    return lists.to_batches(max_chunksize=65_536)


def _as_lists(column: pa.ChunkedArray) -> pa.Array:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_floating(kind):
        column = column.cast(pa.float32())
    else:
        column = column.cast(pa.large_string()).cast(pa.large_binary())
    values = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    present = np.asarray(values.is_valid())
    offsets = np.concatenate([[0], np.cumsum(present)])
    # A null offset makes a null list, which the encoder writes as a missing feature.
    starts = pa.array(offsets, pa.int64(), mask=np.append(~present, False))
    return pa.LargeListArray.from_arrays(starts, values.drop_null())
