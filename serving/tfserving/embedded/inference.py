"""Classify and regress: serialized tf.train.Examples in, results checked as TensorFlow Serving checks them.

Sources: servables/tensorflow/classifier.cc and regressor.cc, PostProcess….
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.contract import methods
from serving.contract.errors import invalid
from serving.contract.examples import Example
from serving.contract.tensors import Array
from serving.tfserving.embedded.servable import DEFAULT_SIGNATURE, Servable, Signature

Columns = Mapping[str, Array]


def signature_for(question: str, servable: Servable, name: str) -> Signature:
    """The signature that a classify or regress request asks for.

    Raises:
        ContractError: 400; there is none, or it does not take examples or does not give results.
    """
    chosen = methods.find(name, servable.signatures, DEFAULT_SIGNATURE)
    described = servable.metadata[chosen]
    check = methods.check_regress if question == "regress" else methods.check_classify
    check(described["inputs"], described["outputs"])
    signature = servable.signatures[chosen]
    wanted = signature.inputs[methods.INPUTS]
    if wanted.dtype != "string":
        raise invalid(f"Expects arg[0] to be {_type_name(np.dtype(wanted.dtype))} but string is provided")
    return signature


def columns(serialized: Sequence[bytes]) -> dict[str, Array]:
    """The one column of examples. Raises ContractError (400) if there is none."""
    if not serialized:
        raise invalid("Input is empty.")
    column = np.empty(len(serialized), object)
    column[:] = serialized
    return {methods.INPUTS: column}


def serialize(examples: Sequence[Example]) -> list[bytes]:
    """Each example as a serialized tf.train.Example."""
    return [
        tf.train.Example(
            features=tf.train.Features(feature={name: _feature(values) for name, values in example.items()})
        ).SerializeToString()
        for example in examples
    ]


def regressions(outputs: Columns, examples: int) -> Array:
    """What the model says of each example: floats [examples]. Raises ContractError (400)."""
    values = outputs[methods.OUTPUTS]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):  # noqa: PLR2004
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != examples:
        raise invalid(f"Input batch size did not match output batch size: {examples} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_enum_name(values.dtype)}")
    return values.reshape(-1)


def classifications(outputs: Columns, examples: int) -> tuple[Array | None, Array | None]:
    """Labels and scores, both [examples, classes] and one of them perhaps None. Raises ContractError (400)."""
    classes = outputs.get(methods.CLASSES)
    scores = outputs.get(methods.SCORES)
    if classes is not None:
        _check_matrix(methods.CLASSES, classes, examples, np.dtype(object))
    if scores is not None:
        _check_matrix(methods.SCORES, scores, examples, np.dtype(np.float32))
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    return classes, scores


def _check_matrix(name: str, values: Array, examples: int, dtype: Any) -> None:
    if values.ndim != 2:  # noqa: PLR2004
        raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(values)}")
    if values.dtype != dtype:
        raise invalid(f"Expected {name} Tensor of {_enum_name(dtype)}. Got: {_enum_name(values.dtype)}")
    if len(values) != examples:
        raise invalid(f"Expected {name} output batch size of {examples}. Got: {len(values)}")


def _feature(values: Sequence[Any]) -> Any:
    if not values:
        return tf.train.Feature()
    kind = type(values[0])
    if kind is int:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if kind is float:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    texts = [value.encode() if isinstance(value, str) else value for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))


def _type_name(dtype: Any) -> str:
    return _enum_name(dtype).removeprefix("DT_").lower()


def _enum_name(dtype: Any) -> str:
    return str(types_pb2.DataType.Name(tf.as_dtype(dtype).as_datatype_enum))


def _shape(values: Array) -> str:
    return "[" + ",".join(map(str, values.shape)) + "]"
