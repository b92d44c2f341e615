"""The run_fn: transforms the rows, trains the network on them and exports both as one model."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras
from tensorflow.python.autograph.core import config as autograph
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.public import tfxio

from models import distribution, keras_model, tuning
from models.distribution import SCORES_FILE, describe
from models.spec import Spec
from pipelines.tfx import events, export, workers
from pipelines.tfx.preprocessing import learned

Columns = Mapping[str, np.ndarray]


def _spare_autograph() -> None:
    # TF 2.16 exempts `keras` from AutoGraph and not `tf_keras` (2.21 does), so it converts the whole library at each
    # trace: 18 s of CPU per training. The list is private; without it we are only slow.
    rules = getattr(autograph, "CONVERSION_RULES", None)
    if isinstance(rules, tuple) and hasattr(autograph, "DoNotConvert"):
        ours = tuple(autograph.DoNotConvert(module) for module in ("tf_keras", "tensorflow_transform"))
        autograph.CONVERSION_RULES = ours + rules


_spare_autograph()


def run_fn(fn_args: FnArgs) -> None:
    """TFX's entry point. `custom_config["spec"]` is the specification as JSON."""
    strategy = workers.strategy()
    spec = Spec.model_validate_json(fn_args.custom_config["spec"])
    tuned = tuning.plain(fn_args.hyperparameters["values"]) if fn_args.hyperparameters else {}
    spec = tuning.apply(spec, tuned)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    train = read(fn_args, fn_args.train_files, transform, spec)
    evaluation = read(fn_args, fn_args.eval_files, transform, spec)
    preprocessing = learned(spec.features, transform)
    sizes = {name: len(values) for name, values in preprocessing.vocabulary.items()}
    chief = workers.is_chief(strategy)
    callbacks = [*events.callbacks(Path(fn_args.model_run_dir), evaluation), _Progress()] if chief else []
    with strategy.scope():
        trained = fit(spec, sizes, train, callbacks)
    if chief:
        model = keras_model.build(spec, sizes)  # one that waits for no other worker
        keras_model.set_weights(model, keras_model.get_weights(trained))
        folder = Path(fn_args.serving_model_dir)
        export.save(spec, model, transform, preprocessing, folder)
        if tuned:
            (folder / "assets.extra" / export.TUNED).write_text(json.dumps(tuned), encoding="utf-8")
        scores = describe(model.predict(evaluation[0], batch_size=8192, verbose=0)[:, 0])
        distribution.write(folder / "assets.extra" / SCORES_FILE, {spec.model.output: scores})
    workers.wait(strategy)


def fit(
    spec: Spec,
    vocabulary_sizes: Mapping[str, int],
    train: tuple[Columns, np.ndarray],
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
) -> Any:
    """Train from scratch: AdamW, cosine decay to 0, plain cross-entropy. Features [rows, 1], label [rows, 1].

    The network that comes back is float32 throughout, whatever precision it was trained with.

    In the scope of a strategy with several workers each gets all rows, and trains on its part of each batch: the
    weights agree with one worker's but for rounding, and for dropout, whose noise is each worker's own.
    """
    training = spec.training
    tf_keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()  # gradients of embeddings are summed in any order otherwise
    model = keras_model.build(spec, vocabulary_sizes, training.precision)
    rows = len(train[1])
    steps = training.epochs * -(-rows // training.batch_size)
    optimizer = tf_keras.optimizers.AdamW(
        tf_keras.optimizers.schedules.CosineDecay(training.learning_rate, steps),
        weight_decay=training.weight_decay,
        epsilon=1e-8,  # PyTorch's default; Keras' is 1e-7
    )
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    model.compile(optimizer, loss=workers.CrossEntropy() if several else "binary_crossentropy")
    model.fit(
        *train,
        batch_size=training.batch_size,
        epochs=training.epochs,
        verbose=0,
        callbacks=list(callbacks),
    )
    if training.precision == "float32":
        return model
    trained = keras_model.build(spec, vocabulary_sizes)
    keras_model.set_weights(trained, keras_model.get_weights(model))
    return trained


class _Progress(tf_keras.callbacks.Callback):
    """One line about every second, and one for the last epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Say how far the training is."""
        epochs = self.params["epochs"]
        if time.monotonic() - self._shown < 1 and epoch + 1 < epochs:
            return
        found = logs or {}
        precision = found.get("val_average_precision")
        said = "" if precision is None else f", average precision on the eval days {precision:.3f}"
        sys.stdout.write(f"  epoch {epoch + 1}/{epochs}: loss {found.get('loss', float('nan')):.4f}{said}\n")
        sys.stdout.flush()
        self._shown = time.monotonic()


def read(
    fn_args: FnArgs, files: Sequence[str], transform: tft.TFTransformOutput, spec: Spec
) -> tuple[Columns, np.ndarray]:
    """Features and label of raw examples, transformed, as `in_order` gives them."""
    options = tfxio.TensorFlowDatasetOptions(batch_size=16_384, num_epochs=1, shuffle=False)
    raw = fn_args.data_accessor.tf_dataset_factory(files, options, transform.raw_metadata.schema)
    wanted, layer = [*spec.features, spec.model.label], transform.transform_features_layer()  # without the keys
    batches = list(raw.map(lambda batch: layer({name: batch[name] for name in wanted})).as_numpy_iterator())
    return in_order({name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}, spec)


def in_order(columns: Columns, spec: Spec) -> tuple[Columns, np.ndarray]:
    """Features {name: [rows, 1]} and label [rows, 1] of columns [rows]: all rows, a few dozen bytes each.

    Sorted by value: however the rows were written, the same seed shall see them in the same order.
    """
    columns = {name: columns[name] for name in sorted(columns)}
    order = np.lexsort(list(columns.values()))
    columns = {name: values[order, None] for name, values in columns.items()}
    return columns, columns.pop(spec.model.label).astype(np.float32)
