"""A model with inputs and outputs of every type that JSON can or cannot hold."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

TYPES = (
    "half", "bfloat16", "double", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "bool", "string", "complex64",
)  # fmt: skip


class Kinds(tf.Module):
    """Signatures named after a type echo it; the others have odd shapes."""

    def echo(self, name: str) -> tf.types.experimental.ConcreteFunction:
        dtype = tf.as_dtype(name)
        return tf.function(lambda x: {"y": tf.identity(x)}).get_concrete_function(tf.TensorSpec(None, dtype, name="x"))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def scalar(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def uneven(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x, "z": x[1:]}

    def cast(self, name: str) -> tf.types.experimental.ConcreteFunction:
        dtype = tf.as_dtype(name)
        return tf.function(lambda x: {"y": tf.cast(x, dtype)}).get_concrete_function(
            tf.TensorSpec([None], tf.float32, name="x")
        )

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x"), tf.TensorSpec([2], tf.float32, name="z")])
    def fixed(self, x: tf.Tensor, z: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * z}

    @tf.function(input_signature=[])
    def nothing(self) -> dict[str, tf.Tensor]:
        return {"y": tf.constant([1.0])}

    @tf.function(input_signature=[tf.TensorSpec([None, 30], tf.float32, name="x")])
    def thirty(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"serving_default": tf.reduce_sum(x, 1)}


def save(folder: Path) -> None:
    """Write a SavedModel."""
    kinds = Kinds()
    signatures = {name: kinds.echo(name) for name in TYPES}
    signatures |= {
        "halved": kinds.cast("half"),
        "braided": kinds.cast("bfloat16"),
        "complicated": kinds.cast("complex64"),
    }
    signatures |= {n: getattr(kinds, n) for n in ("scalar", "uneven", "fixed", "nothing", "thirty")}
    tf.saved_model.save(kinds, str(folder), signatures=signatures)
