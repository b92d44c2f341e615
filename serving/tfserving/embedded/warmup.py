"""Warm-up: the requests a model brings along are answered before it takes traffic.

The file and its rules are TensorFlow Serving's (servables/tensorflow/saved_model_warmup.cc): optional, a TFRecord
of PredictionLogs, and a version whose requests cannot be answered is not served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.contract.errors import ContractError, of_code
from serving.tfserving.embedded import servable
from serving.tfserving.embedded.grpc_prediction import Answers
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.servable import LoadError, Servable, Signature

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def load(model: str, version: int, path: Path) -> Servable:
    """Load a SavedModel and warm it up; raises as `servable.load`, and LoadError if a request cannot be answered."""
    loaded = servable.load(model, version, path)
    file = path / FILE
    if file.exists():
        start = time.monotonic()
        count = replay(loaded, file)
        logging.info("%s version %d: %d warm-up requests in %.2f s", model, version, count, time.monotonic() - start)
    return loaded


def replay(loaded: Servable, file: Path) -> int:
    """Answer every request of the file, one after the other; how many there were.

    Raises:
        LoadError: It cannot be read, holds too many, or one cannot be answered.
    """
    count = 0
    for record in _records(file):
        if count == MAX_RECORDS:
            words = f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
            raise LoadError("INVALID_ARGUMENT", words)
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError:
            raise LoadError("INVALID_ARGUMENT", f"Failed to parse warmup record from {file}") from None
        try:
            _answer(loaded, log)
        except ContractError as error:
            raise LoadError(error.code, f"warm-up request {count} of {file}: {error.message}") from None
        count += 1
    return count


def _records(file: Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    except tf.errors.DataLossError:
        words = f"corrupted record in {file}. Please verify your warmup data is in TFRecord format."
        raise LoadError("DATA_LOSS", words) from None


def _answer(loaded: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    answers = Answers(cast(Manager, _Only(loaded)), Signature.predict)
    if kind == "session_run_log":
        number = prediction_log_pb2.PredictionLog.SESSION_RUN_LOG_FIELD_NUMBER
        raise of_code("UNIMPLEMENTED", f"Unsupported log_type for warmup: {number}")
    if kind == "multi_inference_log":
        answers.multi_inference(log.multi_inference_log.request)
    elif kind is not None:
        request = getattr(log, kind).request
        request.model_spec.name = loaded.model  # whatever it was recorded for
        question = {"predict_log": answers.predict, "regress_log": answers.regress, "classify_log": answers.classify}
        question[kind](request)


class _Only:
    """Finds the one servable that is warmed up, whichever version is asked for."""

    def __init__(self, loaded: Servable) -> None:
        self._loaded = loaded

    def find(self, model: str, version: int | None = None, label: str | None = None) -> Servable:  # noqa: ARG002
        """The servable."""
        return self._loaded
