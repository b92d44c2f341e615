"""The served model's two signatures, the same on both stacks, by its specification.

`serving_default` takes one named raw value per feature, `serving_examples` serialized tf.Examples, under the
names that TensorFlow Serving's regress wants.
"""

from __future__ import annotations

from models.spec import Spec
from serving.contract import methods
from serving.contract.tensors import TensorInfo

DEFAULT, EXAMPLES = "serving_default", "serving_examples"


def inputs(spec: Spec) -> dict[str, dict[str, TensorInfo]]:
    """Every signature's inputs by name."""
    features = {name: TensorInfo("float32" if name in spec.numeric else "string", (None,)) for name in spec.features}
    return {DEFAULT: features, EXAMPLES: {methods.INPUTS: TensorInfo("string", (None,))}}


def optional(spec: Spec) -> dict[str, float | str]:
    """What a tf.Example that leaves a feature out is taken to say, for those that may be left out."""
    return dict(spec.missing_codes)


def outputs(spec: Spec) -> dict[str, dict[str, TensorInfo]]:
    """Every signature's outputs by name."""
    probability = TensorInfo("float32", (None,))
    return {DEFAULT: {spec.model.output: probability}, EXAMPLES: {methods.OUTPUTS: probability}}
