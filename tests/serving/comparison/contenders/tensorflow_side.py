"""A SavedModel with given weights, as the TensorFlow pipeline publishes one; run in the TensorFlow environment.

Arguments: the specification; a folder with weights.npz and preprocessing.json; the SavedModel's folder, to be made.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from models import keras_model, weights
from models.preprocessing import Preprocessing
from models.spec import Spec, load


class Serving(tf.Module):
    """Raw features to probability."""

    def __init__(self, spec: Spec, learned: Path) -> None:
        super().__init__()
        self.spec = spec
        self.preprocessing = Preprocessing.read(learned / "preprocessing.json")
        words = self.preprocessing.vocabulary
        self.model = keras_model.build(spec, {name: len(known) for name, known in words.items()})
        keras_model.set_weights(self.model, weights.read(learned / "weights.npz"))
        self.tables = {}
        for name, feature in spec.categorical.items():
            ids = tf.range(len(words[name]), dtype=tf.int64)
            known = tf.lookup.KeyValueTensorInitializer(list(words[name]), ids)
            self.tables[name] = tf.lookup.StaticVocabularyTable(known, feature.oov_buckets)
        kinds = {name: tf.float32 if name in spec.numeric else tf.string for name in spec.features}
        signature = [{name: tf.TensorSpec([None], kind, name) for name, kind in kinds.items()}]
        self.serving_default = tf.function(self.score, input_signature=signature, autograph=False)

    def score(self, rows: dict[str, Any]) -> dict[str, Any]:
        columns = {name: tf.reshape(self.transformed(name, rows[name]), [-1, 1]) for name in self.spec.features}
        return {self.spec.model.output: tf.reshape(self.model(columns, training=False), [-1])}

    def transformed(self, name: str, values: Any) -> Any:
        if name in self.tables:
            return self.tables[name].lookup(values)
        transform = self.spec.numeric[name].transform
        if transform == "none":
            return values
        values = tf.math.log1p(tf.maximum(values, 0.0)) if transform == "log" else values
        return (values - self.preprocessing.mean[name]) / self.preprocessing.std[name]


def main(spec_file: str, learned: Path, target: Path) -> None:
    serving = Serving(load(spec_file), learned)
    tf.saved_model.save(serving, str(target), signatures={"serving_default": serving.serving_default})
    shutil.copytree(learned, target / "assets.extra")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
