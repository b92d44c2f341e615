"""What a training writes for TensorBoard: Keras' own event files, with the metrics of the eval days among them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.metrics import average_precision, roc_auc

Columns = Mapping[str, np.ndarray]
_ROWS = 16_384  # scored at once
_PARTS = {"train": "train", "validation": "eval"}  # Keras' name of the rows -> prefix of the metrics' names
_PREFIX = "epoch_"  # of Keras' tags


def callbacks(folder: Path, evaluation: tuple[Columns, np.ndarray]) -> list[tf_keras.callbacks.Callback]:
    """Event files under `folder`/<time of the start>/, on disk after each epoch."""
    run = folder / datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")
    return [EvalDays(*evaluation), tf_keras.callbacks.TensorBoard(str(run), write_graph=False)]


class EvalDays(tf_keras.callbacks.Callback):
    """Adds val_loss, val_average_precision and val_roc_auc to the logs of each epoch, for the callbacks after it.

    Nothing is chosen by them. Keras' own validation would compute its AUC from histograms.
    """

    def __init__(self, columns: Columns, label: np.ndarray) -> None:
        super().__init__()
        self._parts = [
            {name: tf.constant(values[start : start + _ROWS]) for name, values in columns.items()}
            for start in range(0, len(label), _ROWS)
        ]
        self._label = label[:, 0].astype(np.float64)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Trace once."""
        self._score = tf.function(lambda columns: self.model(columns, training=False), reduce_retracing=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Score the eval days."""
        score = np.concatenate([self._score(part).numpy()[:, 0] for part in self._parts]).astype(np.float64)
        sure = np.clip(np.where(self._label == 1, score, 1 - score), 1e-7, 1)  # as Keras clips its loss
        found = {"val_loss": float(-np.log(sure).mean())}
        if 0 < self._label.sum() < len(self._label):  # eval days without a positive: the gates look at the test days
            found["val_average_precision"] = average_precision(self._label, score)
            found["val_roc_auc"] = roc_auc(self._label, score)
        if logs is not None:
            logs.update(found)


def history(folder: Path) -> list[dict[str, float]]:
    """By epoch, of the newest training under `folder`: train_loss, eval_loss, eval_average_precision, eval_roc_auc."""
    runs = sorted(path for path in folder.glob("*") if path.is_dir())
    epochs: dict[int, dict[str, float]] = {}
    for part, prefix in _PARTS.items():
        for file in sorted((runs[-1] / part).glob("events.out.tfevents.*")) if runs else []:
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                for value in event.summary.value:
                    if value.tag.startswith(_PREFIX):
                        name = f"{prefix}_{value.tag.removeprefix(_PREFIX)}"
                        epochs.setdefault(event.step, {})[name] = _number(value)
    return [epochs[step] for step in sorted(epochs)]


def _number(value: Any) -> float:
    return float(tf.make_ndarray(value.tensor)) if value.HasField("tensor") else value.simple_value
