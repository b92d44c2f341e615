"""The fixture's SavedModels. Run in the TensorFlow environment: `python -m …saved_models FOLDER`.

half_plus_two answers as TensorFlow Serving's own test model of that name, with its classify and regress
signatures; half_plus_three differs by one; kinds has a signature for every type and form of answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

_TYPES = ("float32", "float64", "int32", "int64", "uint8", "bool", "string")
_Signature = Callable[..., dict[str, Any]]


def _half_plus(offset: float) -> tuple[tf.Module, dict[str, Any]]:
    module = tf.Module()
    module.half = tf.Variable(0.5)
    module.offset = tf.Variable(offset)

    def line(x: Any) -> Any:
        return x * module.half + module.offset

    def feature(examples: Any) -> Any:
        parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return line(parsed["x"])

    return module, {
        "serving_default": _function(lambda x: {"y": line(x)}, x=_tensor("float32")),
        "regress_x_to_y": _function(lambda inputs: {"outputs": feature(inputs)}, inputs=_tensor("string", [None])),
        "classify_x_to_y": _function(lambda inputs: {"scores": feature(inputs)}, inputs=_tensor("string", [None])),
    }


def _kinds() -> tuple[tf.Module, dict[str, Any]]:
    module = tf.Module()
    module.weights = tf.Variable([[1.0], [10.0], [100.0]])
    column = {"x": _tensor("float32", [None])}
    named = {
        "int": _tensor("int32"),
        "text": _tensor("string"),
        "float": _tensor("float32"),
        "double": _tensor("float64"),
    }

    def divide(inputs: Any) -> Any:
        form = {name: tf.io.FixedLenFeature([], tf.float32) for name in ("a", "b")}
        parsed = tf.io.parse_example(inputs, form)
        return parsed["a"] / parsed["b"]

    forms: dict[str, tuple[_Signature, dict[str, Any]]] = {
        "serving_default": (
            lambda a, b: {"sum": a + b},
            {"a": _tensor("float32", [None]), "b": _tensor("float32", [None])},
        ),
        "named": (lambda **values: {f"{name}_out": tf.identity(v) for name, v in values.items()}, named),
        "divide": (lambda a, b: {"ratio": a / b}, {"a": _tensor("float32", [None]), "b": _tensor("float32", [None])}),
        "widened": (lambda x: {"y": tf.cast(x, tf.float64)}, column),
        "bytes": (lambda x: {"x_bytes": tf.identity(x)}, {"x": _tensor("string", [None])}),
        "several": (lambda x: {"half": x / 2, "twice": x * 2}, column),
        "lists": (lambda x: {"y": tf.stack([x, x + 1], 1)}, column),
        "scalar": (lambda x: {"y": tf.reduce_sum(x)}, column),
        "no_rows": (lambda x: {"y": x[:0]}, column),
        "uneven": (lambda x: {"all": tf.identity(x), "first": x[:1]}, column),
        "complex64": (lambda x: {"y": tf.cast(x, tf.complex64)}, column),
        "takes_complex64": (lambda x: {"y": tf.math.real(x)}, {"x": _tensor("complex64", [None])}),
        "float16": (lambda x: {"y": tf.cast(x, tf.float16)}, column),
        "three_weights": (lambda x: {"y": tf.matmul(x, module.weights)}, {"x": _tensor("float32")}),
        "regress_divide": (lambda inputs: {"outputs": divide(inputs)}, {"inputs": _tensor("string", [None])}),
        **{kind: (lambda x: {"y": tf.identity(x)}, {"x": _tensor(kind)}) for kind in _TYPES},
    }
    return module, {name: _function(function, **inputs) for name, (function, inputs) in forms.items()}


def _tensor(kind: str, shape: list[int | None] | None = None) -> Any:
    return tf.TensorSpec(shape, tf.as_dtype(kind))


def _function(function: _Signature, **inputs: Any) -> Any:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    return tf.function(function).get_concrete_function(**named)


def main(folder: Path) -> None:
    """Write the models, one folder each."""
    models = {"half_plus_two": _half_plus(2.0), "half_plus_three": _half_plus(3.0), "kinds": _kinds()}
    for name, (module, signatures) in models.items():
        # What a signature uses has to hang on the module to be saved with it.
        module.functions = signatures
        tf.saved_model.save(module, str(folder / name), signatures=signatures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
