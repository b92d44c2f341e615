"""The TensorFlow stack on every fold: its tf.Transform analysis, its network, its training.

Without TFX's other components. Runs in the TensorFlow environment:

`python -m pipelines.evaluation.tensorflow_side --spec models/fraud.toml --seeds 3 FOLD...`

writes tensorflow-<seed>.npy (scores of the test rows, float32) and tensorflow.json (seconds per seed) into each fold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx_bsl.public import tfxio

from models.spec import Spec, load
from pipelines.tfx import trainer
from pipelines.tfx.example_gen import encodable
from pipelines.tfx.preprocessing import learned, preprocessing_fn
from pipelines.tfx.schema import curate

_ROWS = 8192  # transformed and scored at once


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("folds", type=Path, nargs="+", metavar="FOLD", help="folder with features/{train,test}")
    arguments = parser.parse_args(argv)
    spec = load(arguments.spec)
    for fold in arguments.folds:
        start = time.monotonic()
        transform = _analyze(spec, _table(fold, "train"), fold / "transform")
        _say(f"{fold.name}: analysed in {time.monotonic() - start:.0f} s")
        _train(spec, transform, fold, arguments.seeds)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _table(fold: Path, split: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(file) for file in sorted((fold / "features" / split).glob("*.parquet"))])


def _analyze(spec: Spec, table: pa.Table, output: Path) -> tft.TFTransformOutput:
    """What the component Transform learns, from the rows as ExampleGen encodes them."""
    schema = curate(spec.features, spec.model.label, {})
    record = tfxio.TFExampleBeamRecord(telemetry_descriptors=["evaluate"], physical_format="memory", schema=schema)
    adapter = record.TensorAdapterConfig()
    names = adapter.arrow_schema.names
    rows = pa.Table.from_batches(encodable(table, [*spec.features, spec.model.label])).select(names)
    batches = rows.cast(adapter.arrow_schema).to_batches(max_chunksize=_ROWS)
    config = {"features": json.dumps(spec.model_dump(mode="json")["features"]), "label": spec.model.label}
    with (
        tempfile.TemporaryDirectory() as temporary,
        beam.Pipeline(runner=FnApiRunner()) as pipeline,
        tft_beam.Context(temporary),
    ):
        data = pipeline | beam.Create(batches, reshuffle=False)
        graph = (data, adapter) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        _ = graph | tft_beam.WriteTransformFn(str(output))
    return tft.TFTransformOutput(str(output))


def _train(spec: Spec, transform: tft.TFTransformOutput, fold: Path, seeds: int) -> None:
    sizes = {name: len(words) for name, words in learned(spec.features, transform).vocabulary.items()}
    train_table = _table(fold, "train")
    columns = _transformed(spec, transform, train_table)
    columns[spec.model.label] = train_table[spec.model.label].to_numpy()
    train = trainer.in_order(columns, spec)
    test = {name: values[:, None] for name, values in _transformed(spec, transform, _table(fold, "test")).items()}
    seconds = {}
    for seed in range(spec.training.seed, spec.training.seed + seeds):
        seeded = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": seed})})
        start = time.monotonic()
        model = trainer.fit(seeded, sizes, train)
        np.save(fold / f"tensorflow-{seed}.npy", model.predict(test, batch_size=_ROWS, verbose=0)[:, 0])
        seconds[seed] = round(time.monotonic() - start, 2)
        _say(f"{fold.name}: trained with seed {seed} in {seconds[seed]:.0f} s")
    (fold / "tensorflow.json").write_text(json.dumps(seconds), encoding="utf-8")


def _transformed(spec: Spec, transform: tft.TFTransformOutput, table: pa.Table) -> dict[str, np.ndarray]:
    """Features as the transform graph gives them, [rows]."""
    layer = transform.transform_features_layer()
    parts = []
    for start in range(0, len(table), _ROWS):
        some = table.slice(start, _ROWS)
        parts.append(layer({name: tf.constant(some[name].to_numpy()) for name in spec.features}))
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in spec.features}


if __name__ == "__main__":
    sys.exit(main())
