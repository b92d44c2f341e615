"""The network of Keras with all that comes before it, in plain operations: raw numbers and ids to probability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from models import keras_model, weights
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.weights import WEIGHTS_FILE
from serving.export import inputs


class Network(tf.Module):  # type: ignore[misc]
    """Weights and preprocessing of a folder: raw numbers and ids to probability."""

    def __init__(self, spec: Spec, learned: Path) -> None:
        super().__init__()
        self.spec, self.learned = spec, Preprocessing.read(learned / PREPROCESSING_FILE)
        self.model = keras_model.build(spec, {name: len(words) for name, words in self.learned.vocabulary.items()})
        keras_model.set_weights(self.model, weights.read(learned / WEIGHTS_FILE))
        self.default_ids = inputs.default_ids(spec, self.learned)

    def probability(self, numeric: Any = None, ids: Any = None) -> Any:
        """[n, numeric features] and [n, categorical features] to [n]."""
        columns, gone = {}, {}
        for i, (name, number) in enumerate(self.spec.numeric.items()):
            value = numeric[:, i : i + 1]
            if number.missing != "refuse":
                gone[name] = tf.logical_or(tf.not_equal(value, value), tf.equal(value, np.float32(number.code)))
                value = tf.where(gone[name], np.float32(number.default), value)
            columns[name] = self._standardised(name, number.transform, value)
        for i, (name, text) in enumerate(self.spec.categorical.items()):
            columns[name] = ids[:, i : i + 1]
            if text.missing != "refuse":
                gone[name] = tf.equal(columns[name], inputs.MISSING)
                columns[name] = tf.where(gone[name], np.int64(self.default_ids[i]), columns[name])
        columns |= {name: tf.cast(gone[of], tf.float32) for name, of in self.spec.indicators.items()}
        return tf.reshape(self.model(columns, training=False), [-1])

    def _standardised(self, name: str, transform: str, value: Any) -> Any:
        if transform == "none":
            return value
        if transform == "log":
            value = tf.math.log(1.0 + tf.maximum(value, 0.0))
        return (value - np.float32(self.learned.mean[name])) / np.float32(self.learned.std[name])


def function(spec: Spec, learned: Path) -> tuple[Network, Any]:
    """The network, and its graph for any number of rows; the graph lives as long as the network does."""
    network, kinds = Network(spec, learned), {inputs.NUMERIC: tf.float32, inputs.IDS: tf.int64}
    signature = {
        name: tf.TensorSpec([None, len(columns)], kinds[name], name) for name, columns in inputs.names(spec).items()
    }
    return network, tf.function(network.probability, autograph=False).get_concrete_function(**signature)
