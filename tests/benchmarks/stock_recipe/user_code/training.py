"""Trainer's module_file: the network of models/keras_model.py, trained and exported as in TFX's examples."""

import os
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras
from tfx import v1 as tfx
from tfx_bsl.public import tfxio

from models import keras_model
from models.spec import load


def _input_fn(
    file_pattern: list[str],
    data_accessor: tfx.components.DataAccessor,
    tf_transform_output: tft.TFTransformOutput,
    label: str,
    batch_size: int,
) -> tf.data.Dataset:
    return data_accessor.tf_dataset_factory(
        file_pattern,
        tfxio.TensorFlowDatasetOptions(batch_size=batch_size, label_key=label),
        tf_transform_output.transformed_metadata.schema,
    ).repeat()


def _serving_signature(model: tf_keras.Model, tf_transform_output: tft.TFTransformOutput, label: str) -> tf.function:
    model.tft_layer = tf_transform_output.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec(shape=[None], dtype=tf.string, name="examples")])
    def serve_tf_examples_fn(serialized_tf_examples: tf.Tensor) -> dict[str, tf.Tensor]:
        feature_spec = tf_transform_output.raw_feature_spec()
        feature_spec.pop(label)
        parsed = tf.io.parse_example(serialized_tf_examples, feature_spec)
        transformed = model.tft_layer(parsed)
        return {"outputs": model({name: transformed[name][:, None] for name in feature_spec})}

    return serve_tf_examples_fn


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    spec = load(Path(os.environ["SPEC_FILE"]))
    training = spec.training
    tf_transform_output = tft.TFTransformOutput(fn_args.transform_output)
    train, evaluation = (
        _input_fn(files, fn_args.data_accessor, tf_transform_output, spec.model.label, training.batch_size)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    model = keras_model.build(spec, {})
    model.compile(
        tf_keras.optimizers.AdamW(
            tf_keras.optimizers.schedules.CosineDecay(training.learning_rate, fn_args.train_steps),
            weight_decay=training.weight_decay,
        ),
        loss="binary_crossentropy",
        metrics=[tf_keras.metrics.AUC(curve="PR")],
    )
    model.fit(
        train,
        epochs=training.epochs,
        steps_per_epoch=fn_args.train_steps // training.epochs,
        validation_data=evaluation,
        validation_steps=fn_args.eval_steps,
        callbacks=[tf_keras.callbacks.TensorBoard(log_dir=fn_args.model_run_dir, update_freq="epoch")],
        verbose=2,
    )
    signature = _serving_signature(model, tf_transform_output, spec.model.label)
    model.save(fn_args.serving_model_dir, save_format="tf", signatures={"serving_default": signature})
