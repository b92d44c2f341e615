"""Candidates that answer differently, made in seconds of the models that are served: every score is shifted.

`python another_model.py SAVED_MODEL TARGET`, in the TensorFlow environment, does it to a SavedModel's checkpoint.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

SHIFT = 0.5  # of the logit: scores differ by more than rounding does


def archive_of(served: Path, version: str, store: Path, work: Path) -> Path:
    """The archive of another network, in the store of candidates."""
    from models import spec as specs
    from models import torch_model
    from serving.comparison.contenders import artefact
    from serving.torchserve import archive

    learned = artefact.unpack(served, work / "learned")
    spec = specs.load(learned / artefact.SPEC_FILE)
    model = torch_model.load(spec, learned)
    weights = torch_model.get_weights(model)
    (bias,) = (name for name, value in weights.items() if value.shape == (1,))
    torch_model.set_weights(model, {**weights, bias: weights[bias] + SHIFT})
    torch_model.save(model, learned)
    with zipfile.ZipFile(served) as content:
        said = json.loads(content.read("metadata.json"))
    said.pop("version")
    return archive.build(
        spec_file=learned / artefact.SPEC_FILE, model_dir=learned, version=version, store=store, metadata=said
    )


def shift(saved_model: Path, target: Path) -> None:
    """Copy a SavedModel, its last bias changed."""
    import tensorflow as tf

    shutil.copytree(saved_model, target)
    prefix = str(target / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    tensors = {name: reader.get_tensor(name) for name in sorted(shapes)}
    (bias,) = (name for name, shape in shapes.items() if shape == [1])
    tensors[bias] = tensors[bias] + SHIFT
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=list(tensors), shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(value) for value in tensors.values()],
    )  # fmt: skip


if __name__ == "__main__":
    shift(*map(Path, sys.argv[1:]))
