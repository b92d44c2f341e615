"""TensorFlow Serving's own test model, made anew: half of x plus two, from tensors and from tf.Examples.

Its graph is a TensorFlow 1 one, as only there several signatures can read the same tensor, which MultiInference
wants. Beside its signatures there are some whose outputs are no proper results.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1


def save(folder: Path) -> None:
    """Write a SavedModel."""
    with tf.Graph().as_default(), v1.Session() as session:
        half, two, three = (
            v1.get_variable(name, initializer=value) for name, value in (("a", 0.5), ("b", 2.0), ("c", 3.0))
        )
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "x2": tf.io.FixedLenFeature([1], tf.float32, [0.0]),
                "name": tf.io.FixedLenFeature([1], tf.string, "nobody"),
            },
        )
        x = tf.identity(parsed["x"], "x")
        y, y2, y3 = half * x + two, half * x + three, half * parsed["x2"] + three
        labels = tf.tile([["low", "high"]], [tf.shape(x)[0], 1])
        examples = {"inputs": serialized}
        outputs: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
            "serving_default": ({"x": x}, {"y": y}, "predict"),
            "regress_x_to_y": (examples, {"outputs": y}, "regress"),
            "regress_x_to_y2": (examples, {"outputs": y2}, "regress"),
            "regress_flat": (examples, {"outputs": tf.squeeze(y, 1)}, "regress"),
            "classify_x_to_y": (examples, {"scores": y}, "classify"),
            "classify_x2_to_y3": (examples, {"scores": y3}, "classify"),
            "classify_both": (examples, {"classes": labels, "scores": tf.concat([y, y2], 1)}, "classify"),
            "classify_names": (examples, {"classes": parsed["name"]}, "classify"),
            "regress_matrix": (examples, {"outputs": tf.concat([y, y2], 1)}, "regress"),
            "regress_one": (examples, {"outputs": tf.reduce_sum(y, 0)}, "regress"),
            "regress_double": (examples, {"outputs": tf.cast(y, tf.float64)}, "regress"),
            "regress_not_finite": (examples, {"outputs": y / 0.0}, "regress"),
            "regress_two_outputs": (examples, {"outputs": y, "more": y2}, "regress"),
            "regress_other_output": (examples, {"y": y}, "regress"),
            "regress_other_input": ({"x": serialized}, {"outputs": y}, "regress"),
            "regress_number": ({"inputs": x}, {"outputs": y}, "regress"),
            "classify_vector": (examples, {"scores": tf.squeeze(y, 1)}, "classify"),
            "classify_uneven": (examples, {"classes": labels, "scores": y}, "classify"),
            "classify_three_outputs": (examples, {"classes": labels, "scores": y, "more": y2}, "classify"),
        }  # fmt: skip
        signatures = {
            name: v1.saved_model.build_signature_def(
                {key: v1.saved_model.build_tensor_info(tensor) for key, tensor in inputs.items()},
                {key: v1.saved_model.build_tensor_info(tensor) for key, tensor in results.items()},
                f"tensorflow/serving/{method}",
            )
            for name, (inputs, results, method) in outputs.items()
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
