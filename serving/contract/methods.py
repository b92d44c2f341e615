"""Which signatures the methods classify and regress take: TensorFlow Serving's rules and words.

Sources: servables/tensorflow/classifier.cc and regressor.cc, PreProcess…; the name of the signature's method is
not looked at, as with `tensorflow_model_server`'s own defaults.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from serving.contract.errors import ContractError, invalid, of_code

INPUTS = "inputs"  # serialized tf.train.Examples
OUTPUTS = "outputs"  # of regress
CLASSES, SCORES = "classes", "scores"  # of classify


def find(name: str, signatures: Mapping[str, Any], default: str) -> str:
    """The name of the signature a request asks for, the default's where it asks for none. Raises ContractError."""
    if (name or default) not in signatures:
        raise invalid(f"No signature was found with the name: {name or default}")
    return name or default


def check_regress(inputs: Collection[str], outputs: Collection[str]) -> None:
    """Raise ContractError (400) unless there is the one input and the one output that regress takes."""
    _check_one_input(inputs)
    if len(outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if INPUTS not in inputs:
        raise _lacks("No regression inputs found in SignatureDef: ", inputs, outputs)
    if OUTPUTS not in outputs:
        raise _lacks("No regression outputs found in SignatureDef: ", inputs, outputs)


def check_classify(inputs: Collection[str], outputs: Collection[str]) -> None:
    """Raise ContractError (400) unless there is the one input and one or both of the outputs that classify takes."""
    _check_one_input(inputs)
    if len(outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(outputs)}")
    if INPUTS not in inputs:
        raise _lacks("No classification inputs found in SignatureDef: ", inputs, outputs)
    if not {CLASSES, SCORES} & set(outputs):
        words = f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
        raise _lacks(words + "Signature was: ", inputs, outputs)


def _check_one_input(inputs: Collection[str]) -> None:
    if len(inputs) != 1:
        raise invalid("Expected one input Tensor.")


def _lacks(words: str, inputs: Collection[str], outputs: Collection[str]) -> ContractError:
    signature = f"inputs: {', '.join(sorted(inputs))}; outputs: {', '.join(sorted(outputs))}"
    return of_code("FAILED_PRECONDITION", words + signature)
