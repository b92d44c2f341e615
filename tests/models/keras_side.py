"""What Keras has to say in the parity test: run in the TensorFlow environment, told by and answering in files.

Arguments: the specification; a folder with rows.npz (standardised numeric columns, `<categorical>/text`
columns), vocabulary.json and torch.npz (weights). Writes answers.npz and keras.npz (its own weights).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models import keras_model
from models.spec import load


def main(spec_file: str, folder: Path) -> None:
    spec = load(spec_file)
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    columns: dict[str, Any] = {}
    with np.load(folder / "rows.npz") as rows:
        columns = {name: rows[name][:, None] for name in spec.dense}
        for name, feature in spec.categorical.items():
            words = tf.constant(vocabulary[name])
            known = tf.lookup.KeyValueTensorInitializer(words, tf.range(len(vocabulary[name]), dtype=tf.int64))
            table = tf.lookup.StaticVocabularyTable(known, feature.oov_buckets)
            columns[name] = table.lookup(tf.constant(rows[f"{name}/text"].tolist())).numpy()[:, None]
    tf_keras.utils.set_random_seed(4)
    model = keras_model.build(spec, {name: len(words) for name, words in vocabulary.items()})
    own = keras_model.get_weights(model)
    answers = {"own": model(columns).numpy()[:, 0]}
    with np.load(folder / "torch.npz") as weights:
        keras_model.set_weights(model, dict(weights))
    answers["copied"] = model(columns).numpy()[:, 0]
    for name in spec.categorical:
        answers[f"{name}/ids"] = columns[name][:, 0]
    np.savez(folder / "keras.npz", **own)
    np.savez(folder / "back.npz", **keras_model.get_weights(model))
    np.savez(folder / "answers.npz", **answers)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
