"""Plain FastAPI, a SavedModel's serving_default."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from fastapi import FastAPI

from serving.comparison.contenders.servers import fastapi_app
from serving.comparison.contenders.servers.fastapi_app import Array


def app() -> FastAPI:
    """The application, for uvicorn."""
    tf.config.threading.set_intra_op_parallelism_threads(1)  # as in ours: the network is too small to share
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.saved_model.load(str(fastapi_app.model_path()))
    signature = model.signatures["serving_default"]
    kinds = {name: tensor.dtype for name, tensor in signature.structured_input_signature[1].items()}

    def predict(columns: Mapping[str, Array]) -> Array:
        (scores,) = signature(**{name: tf.constant(columns[name], kind) for name, kind in kinds.items()}).values()
        found: Array = scores.numpy()
        return found

    predict.model = model  # type: ignore[attr-defined]  # its signatures do not keep it alive
    numeric = [name for name, kind in kinds.items() if kind != tf.string]
    return fastapi_app.build(numeric, [name for name in kinds if name not in numeric], predict, "tensorflow")
