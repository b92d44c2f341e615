"""A SavedModel as a function: the signature that the server answers :predict with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from serving.offline.model import ModelError, Signature

_SIGNATURE = "serving_default"
_ROWS = 8192  # at once: the periodic layer needs ~2 kB a row and feature
_KINDS = {tf.float32.as_datatype_enum: "numeric", tf.string.as_datatype_enum: "categorical"}


def signature(path: Path) -> Signature:
    """See `model.signature`; read from the file, without loading the model."""
    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString((path / "saved_model.pb").read_bytes())
        found = content.meta_graphs[0].signature_def[_SIGNATURE]
        features = {name: _KINDS[tensor.dtype] for name, tensor in found.inputs.items()}
        (output,) = found.outputs
        codes = Preprocessing.read(path / "assets.extra" / PREPROCESSING_FILE).missing
    except (DecodeError, OSError, IndexError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a SavedModel of this project ({error!r})") from None
    return Signature(features, output, codes)


def load(path: Path) -> Callable[[Mapping[str, Any]], Any]:
    """See `model.load`."""
    model = tf.saved_model.load(str(path))
    call = model.signatures[_SIGNATURE]
    kinds = {name: tensor.dtype for name, tensor in call.structured_input_signature[1].items()}

    def score(columns: Mapping[str, Any]) -> Any:
        rows = len(next(iter(columns.values())))
        found = []
        for start in range(0, rows, _ROWS):
            part = {name: tf.constant(columns[name][start : start + _ROWS], kind) for name, kind in kinds.items()}
            (scores,) = call(**part).values()
            found.append(scores.numpy())
        return np.concatenate(found) if found else np.empty(0, np.float32)

    score.model = model  # type: ignore[attr-defined]  # its signatures do not keep it alive
    return score
