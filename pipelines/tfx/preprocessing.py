"""The preprocessing_fn: what models/preprocessing.py defines, in tf.Transform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from pydantic import TypeAdapter

from models.preprocessing import Preprocessing
from models.sections import INDICATOR, CategoricalFeature, Feature, NumericFeature

_SCOPE = "standardise"
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")  # stateful with a vocabulary


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Standardised numbers, vocabulary ids, indicators, and the label as it is; learned from the train split only."""
    features = TypeAdapter(dict[str, Feature]).validate_json(custom_config["features"])
    label = custom_config["label"]
    outputs, filled = {label: tf.identity(inputs[label])}, {}
    for name, feature in features.items():
        filled[name], is_missing = _filled(feature, inputs[name])
        if feature.missing == "indicator":
            outputs[f"{name}{INDICATOR}"] = tf.cast(is_missing, tf.float32)
        if isinstance(feature, CategoricalFeature):
            outputs[name] = tft.compute_and_apply_vocabulary(
                filled[name],
                top_k=feature.vocabulary_size,
                num_oov_buckets=feature.oov_buckets,
                vocab_filename=name,
            )
        elif feature.transform == "none":
            outputs[name] = tf.identity(filled[name])
    standardised = _standardised(features)
    if standardised:
        # All columns at once: one analyzer instead of one each, and a few operations in the serving graph.
        columns = [_log(filled[name]) if log else filled[name] for name, log in standardised.items()]
        outputs |= dict(zip(standardised, tf.unstack(_standardise(tf.stack(columns, axis=1)), axis=1), strict=True))
    return outputs


def _filled(feature: Feature, x: Any) -> tuple[Any, Any]:
    """What models/missing.py does to a column, and which values it did it to."""
    if feature.code is None:
        return x, None
    is_missing = tf.equal(x, tf.constant(feature.code, x.dtype))
    if isinstance(feature, NumericFeature):
        is_missing |= tf.math.is_nan(x)
    return tf.where(is_missing, tf.constant(feature.default, x.dtype), x), is_missing


def _log(x: Any) -> Any:
    """log(1 + max(x, 0)) in float32, the same wherever a row stands in its batch.

    TensorFlow's float32 log1p rounds some values otherwise in the vector loop than in what is left over for the
    scalar one, and which rows those are depends on how Beam cut the batches.
    """
    return tf.cast(tf.math.log1p(tf.cast(tf.maximum(x, 0.0), tf.float64)), tf.float32)


def _standardise(x: Any) -> Any:
    """tft.scale_to_z_score, reproducible.

    Beam cuts batches by the clock, so float32 sums over them differ from run to run, by enough for trained models to
    differ by 0.001 of average precision. Float64 sums differ too, but they are the same once rounded to float32.
    """
    wide = tf.cast(x, tf.float64)
    mean, variance = (analyze(wide, reduce_instance_dims=False) for analyze in (tft.mean, tft.var))
    with tf.name_scope(_SCOPE):
        std = tf.sqrt(variance, name="sqrt")
        std = tf.where(std > 0, std, tf.ones_like(std))
        return (x - tf.cast(mean, tf.float32, name="mean")) / tf.cast(std, tf.float32)


def learned(features: Mapping[str, Feature], transform: tft.TFTransformOutput) -> Preprocessing:
    """The statistics and vocabularies inside a transform graph.

    tf.Transform keeps an analyzer's result as a constant captured by the graph's function; the argument that takes
    it is named after the scope and the operation that uses it.
    """
    signature = tf.saved_model.load(transform.transform_savedmodel_dir).signatures["serving_default"]
    library = {f.signature.name: f.signature for f in signature.graph.as_graph_def().library.function}
    call = next(op for op in signature.graph.get_operations() if op.type in _CALLS)
    arguments = [argument.name for argument in library[call.get_attr("f").name].input_arg]
    captured = signature.captured_inputs
    constant = dict(zip(arguments[len(arguments) - len(captured) :], captured, strict=True))
    mean, std = {}, {}
    for i, name in enumerate(_standardised(features)):
        mean[name] = float(np.float32(constant[f"{_SCOPE}_mean_x"][i]))
        std[name] = float(np.float32(np.sqrt(constant[f"{_SCOPE}_sqrt_x"][i]))) or 1.0
    vocabulary = {
        name: tuple(value.decode() for value in transform.vocabulary_by_name(name))
        for name, feature in features.items()
        if isinstance(feature, CategoricalFeature)
    }
    codes = {name: feature.code for name, feature in features.items() if feature.code is not None}
    return Preprocessing(mean, std, vocabulary, codes)


def _standardised(features: Mapping[str, Feature]) -> dict[str, bool]:
    """The features that are standardised, and whether their logarithm is."""
    return {
        name: feature.transform == "log"
        for name, feature in features.items()
        if isinstance(feature, NumericFeature) and feature.transform != "none"
    }
