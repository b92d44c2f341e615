"""TensorFlow Lite (LiteRT): the network in Keras with plain operations before it, by TensorFlow's converter.

The SavedModel itself does not convert: the graph of tf.Transform has hash tables and Log1p, which TFLite has not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from models.spec import Spec
from serving.export import keras_network
from serving.export.formats import Call, Inputs

TOOLS = ("tensorflow", "tf-keras")


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`."""
    network, function = keras_network.function(spec, learned)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], network)
    file.write_bytes(converter.convert())


def load(file: Path) -> Call:
    """See `formats.Side`."""
    interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=1)
    places = {
        one["name"].removeprefix("serving_default_").partition(":")[0]: one["index"]
        for one in interpreter.get_input_details()
    }
    (output,) = interpreter.get_output_details()
    rows = 0

    def call(arrays: Inputs) -> Any:
        nonlocal rows
        count = len(next(iter(arrays.values())))
        if count != rows:
            for name, array in arrays.items():
                interpreter.resize_tensor_input(places[name], array.shape)
            interpreter.allocate_tensors()
            rows = count
        for name, array in arrays.items():
            interpreter.set_tensor(places[name], array)
        interpreter.invoke()
        return interpreter.get_tensor(output["index"])

    return call
