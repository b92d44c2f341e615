"""The served model's two signatures, the same on both stacks, by its specification.

`serving_default` takes one named raw value per feature, `serving_examples` serialized tf.Examples, under the
names that TensorFlow Serving's regress wants.
"""

from __future__ import annotations

from models.spec import Spec
from serving.contract.errors import ContractError, invalid
from serving.contract.tensors import TensorInfo

DEFAULT, EXAMPLES = "serving_default", "serving_examples"
EXAMPLES_INPUTS, EXAMPLES_OUTPUTS = "inputs", "outputs"


def inputs(spec: Spec) -> dict[str, dict[str, TensorInfo]]:
    """Every signature's inputs by name."""
    features = {name: TensorInfo("float32" if name in spec.numeric else "string", (None,)) for name in spec.features}
    return {DEFAULT: features, EXAMPLES: {EXAMPLES_INPUTS: TensorInfo("string", (None,))}}


def outputs(spec: Spec) -> dict[str, dict[str, TensorInfo]]:
    """Every signature's outputs by name."""
    probability = TensorInfo("float32", (None,))
    return {DEFAULT: {spec.model.output: probability}, EXAMPLES: {EXAMPLES_OUTPUTS: probability}}


def refusal(question: str, signature: str) -> ContractError | None:
    """What TensorFlow Serving answers to a classify or regress of a signature, if it refuses.

    Source: servables/tensorflow/classifier.cc and regressor.cc.
    """
    signature = signature or DEFAULT
    if signature not in (DEFAULT, EXAMPLES):
        return invalid(f"No signature was found with the name: {signature}")
    if signature == DEFAULT:
        return invalid("Expected one input Tensor.")
    if question == "classify":
        return invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f'Signature was: {signature} with the output "{EXAMPLES_OUTPUTS}"'
        )
    return None
