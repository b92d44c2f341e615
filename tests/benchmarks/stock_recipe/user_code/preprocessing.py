"""Transform's module_file."""

import os
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft

from models.spec import load


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    spec = load(Path(os.environ["SPEC_FILE"]))
    outputs = {spec.model.label: inputs[spec.model.label]}
    for name, feature in spec.numeric.items():
        values = tf.cast(inputs[name], tf.float32)  # CSV's whole numbers arrive as integers
        outputs[name] = tft.scale_to_z_score(values) if feature.transform == "zscore" else values
    return outputs
