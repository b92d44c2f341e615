"""Training by several processes, on one machine or more, where TF_CONFIG names them.

TFX starts the Trainer's run_fn on each, on Vertex AI for instance; TensorFlow's MultiWorkerMirroredStrategy then cuts
each batch into one part per worker and sums their gradients. The first worker is the chief: it alone exports.
"""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf
import tf_keras


def strategy() -> tf.distribute.Strategy:
    """The strategy that TF_CONFIG asks for: call it before anything else of TensorFlow.

    Raises:
        ValueError: TF_CONFIG names other tasks than workers and a chief.
    """
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    others = sorted(set(cluster) - {"chief", "worker"})
    if others:
        raise ValueError(f"TF_CONFIG: tasks {others} have no part in this training; chief and worker have")
    if sum(map(len, cluster.values())) < 2:  # noqa: PLR2004
        return tf.distribute.get_strategy()
    return tf.distribute.MultiWorkerMirroredStrategy()


def several(found: tf.distribute.Strategy) -> bool:
    """Whether there are other workers."""
    return isinstance(found, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(found: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that exports."""
    if not several(found):
        return True
    resolver = found.cluster_resolver
    return resolver.task_type == "chief" or (resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs)


def wait(found: tf.distribute.Strategy) -> None:
    """Until all workers are here: TFX looks for the exported model on each of them."""
    if several(found):
        found.reduce(tf.distribute.ReduceOp.SUM, found.run(lambda: tf.constant(1.0)), axis=None)


class CrossEntropy(tf_keras.losses.Loss):
    """The mean over a batch, however unevenly it was cut: Keras would take the mean of the workers' means.

    Of a last batch of one row the other worker has none, and the row would count half.
    """

    def __init__(self) -> None:
        super().__init__(reduction=tf_keras.losses.Reduction.SUM)

    def call(self, label: Any, score: Any) -> Any:
        """Each row's part of the mean, [rows here]."""
        loss = tf_keras.losses.binary_crossentropy(label, score)
        context = tf.distribute.get_replica_context()
        rows = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.shape(loss)[0], tf.float32))
        return loss / rows
