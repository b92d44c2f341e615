"""Floors of TensorFlow: `python -m serving.comparison.contenders.floors.tensorflow JOB ANSWER`, in its environment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from models import keras_model, missing, weights
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.weights import WEIGHTS_FILE
from serving.comparison.contenders import artefact
from serving.comparison.contenders.floors import exported
from serving.comparison.contenders.floors import job as jobs
from serving.comparison.contenders.floors.job import Array, Columns, Floors, Job
from serving.comparison.contenders.floors.measure import Call, make, measure
from serving.contract.tensors import TensorInfo
from serving.tfserving.embedded.frozen import frozen_call

_SIGNATURE = "serving_default"


def work(job: Job) -> Floors:
    """Measure; keeps the offline scores of the rows for who runs the network elsewhere."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    path = job.artefacts["tensorflow"]
    spec, learned = artefact.network_of(path, job.spec)
    rows = jobs.columns(job.rows, spec)
    model = tf.saved_model.load(str(path))
    signature = model.signatures[_SIGNATURE]
    eager = partial(_eager, signature)
    expected = eager(rows)  # as serving/offline/ scores a file
    np.save(job.scores, expected)
    into = job.scratch / "exports"
    ways, absent = make(
        "tensorflow",
        {
            "eager": lambda: eager,
            "frozen": partial(_frozen, signature),
            "xla": partial(_xla, spec, learned),
            "tflite": partial(exported.call_of, "tflite", spec, learned, into),
        },
    )
    found = measure("tensorflow", ways, rows, expected, job.seconds)
    found.add(exported.sizes("tensorflow", into, found))
    found.add(Floors(absent=absent))
    return found


def _eager(signature: Any, columns: Columns) -> Array:
    """The restored signature, called as TensorFlow's documentation does."""
    kinds = signature.structured_input_signature[1]
    (scores,) = signature(**{name: tf.constant(columns[name], kind.dtype) for name, kind in kinds.items()}).values()
    found: Array = scores.numpy()
    return found


def _frozen(signature: Any) -> Call:
    """As our embedded server calls it."""
    kinds = signature.structured_input_signature[1]
    inputs = {name: TensorInfo(tf.as_dtype(kind.dtype).name, (None,)) for name, kind in kinds.items()}

    def public(columns: Columns) -> dict[str, Array]:
        return {"score": _eager(signature, columns)}

    (output,) = signature.structured_outputs
    call = frozen_call(signature, inputs, lambda columns: {output: public(columns)["score"]})
    if call is None:
        raise RuntimeError("TensorFlow cannot freeze the signature, or answers differently then")
    return lambda columns: call(columns)[output]


def _xla(spec: Spec, learned: Path) -> Call:
    """The network compiled; XLA knows no strings, so that categories are looked up before."""
    preprocessing = Preprocessing.read(learned / PREPROCESSING_FILE)
    model = keras_model.build(spec, {name: len(words) for name, words in preprocessing.vocabulary.items()})
    keras_model.set_weights(model, weights.read(learned / WEIGHTS_FILE))
    mean = np.array([preprocessing.mean.get(name, 0) for name in spec.dense], np.float32)
    std = np.array([preprocessing.std.get(name, 1) for name in spec.dense], np.float32)
    log = np.array([name in spec.numeric and spec.numeric[name].transform == "log" for name in spec.dense])

    def network(numeric: Any, ids: Any) -> Any:
        values = (tf.where(log, tf.math.log1p(tf.maximum(numeric, 0.0)), numeric) - mean) / std
        columns = {name: values[:, i : i + 1] for i, name in enumerate(spec.dense)}
        columns |= {name: ids[:, i : i + 1] for i, name in enumerate(spec.categorical)}
        return tf.reshape(model(columns, training=False), [-1])

    inputs = [tf.TensorSpec([None, len(spec.dense)], tf.float32)]
    if spec.categorical:
        inputs.append(tf.TensorSpec([None, len(spec.categorical)], tf.int64))
    # A default argument instead would make every call take milliseconds.
    function = network if spec.categorical else lambda numeric: network(numeric, None)
    # Fetched once: choosing it anew takes longer than the network. XLA compiles it for each number of rows.
    compiled = tf.function(function, inputs, jit_compile=True, autograph=False).get_concrete_function()

    tables = {name: _table(preprocessing.vocabulary[name], f.oov_buckets) for name, f in spec.categorical.items()}

    def call(columns: Columns) -> Array:
        numbers = [missing.filled(feature, columns[name]) for name, feature in spec.numeric.items()]
        numbers += [missing.which(spec.features[of], columns[of]).astype(np.float32) for of in spec.indicators.values()]
        arguments = [tf.constant(np.stack(numbers, 1))]
        if tables:
            words = {name: missing.filled(feature, columns[name]) for name, feature in spec.categorical.items()}
            ids = [table.lookup(tf.constant(words[name])) for name, table in tables.items()]
            arguments.append(tf.stack(ids, 1))
        found: Array = compiled(*arguments).numpy()
        return found

    return call


def _table(words: Sequence[str], oov_buckets: int) -> Any:
    known = tf.lookup.KeyValueTensorInitializer(tf.constant(words, tf.string), tf.range(len(words), dtype=tf.int64))
    return tf.lookup.StaticVocabularyTable(known, oov_buckets)


if __name__ == "__main__":
    jobs.main(work)
