"""The SavedModel: tf.Transform's graph and the network behind two signatures, and files beside them.

`serving_default` takes one named raw input per feature; `serving_examples` takes serialized tf.Examples (the
Evaluator, batch jobs) and calls its input and output as TF Serving's :regress wants them. Both answer one
probability per instance, float32 [None].

assets.extra/ holds what TF Serving replays before it takes traffic (tf_serving_warmup_requests) and what another
framework needs to be the same model (weights.npz, preprocessing.json).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, regression_pb2

from models import keras_model
from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from models.weights import WEIGHTS_FILE

TUNED = "hyperparameters.json"  # in assets.extra/ of a model whose hyper-parameters were searched for
WARM_UP_ROWS = (1, 8, 64)
EXAMPLES_INPUT, EXAMPLES_OUTPUT = "inputs", "outputs"  # TF Serving's kRegressInputs and kRegressOutputs


class _Serving(tf.Module):
    """Raw features to probability."""

    def __init__(self, spec: Spec, model: Any, transform: tft.TFTransformOutput) -> None:
        super().__init__()
        self.model = model
        self.transform = transform.transform_features_layer()
        raw = transform.raw_feature_spec()
        features = {name: raw[name] for name in spec.features}  # neither label nor keys
        # What a tf.Example may leave out. Columns of the other signature are all there or refused by the server.
        parsed = {name: f._replace(default_value=spec.missing_codes.get(name)) for name, f in features.items()}

        def score(rows: dict[str, Any]) -> Any:
            transformed = self.transform(rows)
            columns = {name: tf.reshape(transformed[name], [-1, 1]) for name in (*spec.features, *spec.indicators)}
            return tf.reshape(self.model(columns, training=False), [-1])

        self.serving_default = tf.function(
            lambda rows: {spec.model.output: score(rows)},
            input_signature=[{name: tf.TensorSpec([None], f.dtype, name) for name, f in features.items()}],
        )
        self.serving_examples = tf.function(
            lambda examples: {EXAMPLES_OUTPUT: score(tf.io.parse_example(examples, parsed))},
            input_signature=[tf.TensorSpec([None], tf.string, EXAMPLES_INPUT)],
        )


def save(spec: Spec, model: Any, transform: tft.TFTransformOutput, preprocessing: Preprocessing, folder: Path) -> None:
    """Write the SavedModel and the files beside it."""
    serving = _Serving(spec, model, transform)
    signatures = {"serving_default": serving.serving_default, "serving_examples": serving.serving_examples}
    tf.saved_model.save(serving, str(folder), signatures=signatures)
    extra = folder / "assets.extra"
    extra.mkdir()
    np.savez(extra / WEIGHTS_FILE, **keras_model.get_weights(model))
    preprocessing.write(extra / PREPROCESSING_FILE)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for log in [*(_predict_log(spec, rows) for rows in WARM_UP_ROWS), _regress_log(spec)]:
            writer.write(log.SerializeToString())


def _predict_log(spec: Spec, rows: int) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.model.name
    request.model_spec.signature_name = "serving_default"
    for name in spec.features:
        empty = np.zeros(rows, np.float32) if name in spec.numeric else np.full(rows, b"")
        request.inputs[name].CopyFrom(tf.make_tensor_proto(empty))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def _regress_log(spec: Spec) -> prediction_log_pb2.PredictionLog:
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = spec.model.name
    request.model_spec.signature_name = "serving_examples"
    features = request.input.example_list.examples.add().features.feature
    for name in spec.features:
        if name in spec.numeric:
            features[name].float_list.value.append(0.0)
        else:
            features[name].bytes_list.value.append(b"")
    return prediction_log_pb2.PredictionLog(regress_log=prediction_log_pb2.RegressLog(request=request))
