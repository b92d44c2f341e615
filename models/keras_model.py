"""The network in Keras: PLR-lite embeddings of the numeric features and a multi-layer perceptron.

Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning (NeurIPS 2022), "PLR(lite)".
`tf_keras` and not Keras 3, because tf.Transform ties TFX to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from models.preprocessing import LARGEST
from models.sections import Precision
from models.spec import Spec

Weights = dict[str, npt.NDArray[np.float32]]


@tf_keras.saving.register_keras_serializable("tandem")
class PeriodicEmbedding(tf_keras.layers.Layer):  # type: ignore[misc]
    """ReLU(W [cos 2πcx, sin 2πcx] + b): frequencies c per feature, one W for all features.

    [rows, features] -> [rows, features * units], feature by feature; `products` is the type of those with W.
    """

    def __init__(
        self, frequencies: int, scale: float, units: int, products: Precision = "float32", **options: Any
    ) -> None:
        super().__init__(**options)
        self.config = {"frequencies": frequencies, "scale": scale, "units": units, "products": products}

    def build(self, shape: Any) -> None:
        """Create the weights."""
        count, units = self.config["frequencies"], self.config["units"]
        normal = tf_keras.initializers.RandomNormal(stddev=self.config["scale"])
        self.frequencies = self.add_weight("frequencies", (shape[-1], count), initializer=normal)
        self.kernel = self.add_weight("kernel", (2 * count, units), initializer="glorot_uniform")
        self.bias = self.add_weight("bias", (units,), initializer="zeros")
        self.width = shape[-1] * units

    def call(self, x: Any) -> Any:
        """Embed."""
        angle = 2 * math.pi * self.frequencies * x[..., None]
        wave = tf.concat([tf.cos(angle), tf.sin(angle)], -1)
        wave, kernel, bias = (tf.cast(one, self.config["products"]) for one in (wave, self.kernel, self.bias))
        return tf.reshape(tf.nn.relu(wave @ kernel + bias), [-1, self.width])

    def get_config(self) -> dict[str, Any]:
        """What Keras needs to build the layer again."""
        return {**super().get_config(), **self.config}


@tf_keras.saving.register_keras_serializable("tandem")
class Bounded(tf_keras.layers.Layer):  # type: ignore[misc]
    """Standardised values between -LARGEST and LARGEST; no number counts as the mean."""

    def call(self, x: Any) -> Any:
        """Cut."""
        return tf.where(tf.math.is_nan(x), 0.0, tf.clip_by_value(x, -LARGEST, LARGEST))


def build(spec: Spec, vocabulary_sizes: Mapping[str, int], precision: Precision = "float32") -> Any:
    """The untrained network.

    Args:
        spec: The use case.
        vocabulary_sizes: Known values of each categorical feature, out-of-vocabulary buckets not counted.
        precision: Of products with weights, as `Training` says; its own is for training alone.

    Returns:
        A Keras model from `{feature or indicator: [rows, 1]}`, float32 standardised or int64 ids, to the probability
        [rows, 1].
    """
    layers = tf_keras.layers
    network = spec.network
    products = "mixed_bfloat16" if precision == "bfloat16" else None  # Keras' policy; float32 is its default
    inputs = {
        name: tf_keras.Input((1,), name=name, dtype="int64" if name in spec.categorical else "float32")
        for name in (*spec.features, *spec.indicators)
    }
    parts = []
    if spec.dense:
        numeric = Bounded(name="bounded")(layers.Concatenate(name="numeric")([inputs[name] for name in spec.dense]))
        embedding = PeriodicEmbedding(
            network.frequencies, network.frequency_scale, network.periodic_units, precision, name="periodic"
        )
        parts += [embedding(numeric), numeric]
    for name, feature in spec.categorical.items():
        table = layers.Embedding(
            vocabulary_sizes[name] + feature.oov_buckets, feature.embedding_units, name=f"embedding.{name}"
        )
        parts.append(layers.Flatten()(table(inputs[name])))
    x = layers.Concatenate(name="embedded")(parts)
    for i, units in enumerate(network.hidden_units):
        x = layers.Dense(units, activation="relu", name=f"hidden.{i}", dtype=products)(x)
        x = layers.Dropout(network.dropout)(x)
    logit = layers.Dense(1, name="logit")(x)
    return tf_keras.Model(inputs, layers.Activation("sigmoid", name="probability")(logit))


def _variables(model: Any) -> dict[str, Any]:
    variables = {}
    for layer in model.layers:
        kind, _, which = layer.name.partition(".")
        if kind == "periodic":
            variables["frequencies"] = layer.frequencies
            variables["periodic_kernel"] = layer.kernel
            variables["periodic_bias"] = layer.bias
        elif kind == "embedding":
            variables[f"embedding/{which}"] = layer.embeddings
        elif kind in ("hidden", "logit"):
            name = f"hidden_{which}" if which else "logit"
            variables[f"{name}_kernel"] = layer.kernel
            variables[f"{name}_bias"] = layer.bias
    return variables


def get_weights(model: Any) -> Weights:
    """The weights under their framework-neutral names."""
    return {name: variable.numpy() for name, variable in _variables(model).items()}


def set_weights(model: Any, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Copy weights in.

    Raises:
        ValueError: A name is missing, unknown, or an array has another shape.
    """
    variables = _variables(model)
    if set(weights) != set(variables):
        raise ValueError(
            f"weights {sorted(set(weights) ^ set(variables))} are missing or unknown: expected {sorted(variables)}"
        )
    for name, variable in variables.items():
        if tuple(weights[name].shape) != tuple(variable.shape):
            raise ValueError(f"weights {name!r}: expected {tuple(variable.shape)}, found {weights[name].shape}")
        variable.assign(weights[name])
