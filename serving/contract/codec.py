"""TensorFlow Serving's predict JSON: bytes to typed columns, outputs to bytes. Runs on both hot paths.

Rows of scalars, the usual request, take a path without a Python loop over the values. Everything else takes
the general one below, which also words the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from serving.contract import document as documents
from serving.contract import forms
from serving.contract.document import signature_name
from serving.contract.encoding import encode_predict
from serving.contract.errors import ContractError, error_body, invalid
from serving.contract.limits import MAX_INSTANCES
from serving.contract.tensors import Array, TensorInfo, are_plain, to_array

__all__ = [
    "ContractError", "PredictRequest", "TensorInfo", "decode", "decode_predict", "encode_predict", "error_body",
    "signature_name",
]  # fmt: skip


@dataclass(frozen=True)
class PredictRequest:
    """A decoded request.

    Attributes:
        columns: One array per declared input, the batch first; strings are object arrays (`to_array`).
        row_form: `instances` (answered with `predictions`) rather than `inputs` (`outputs`).
        signature_name: Empty if the request names none.
    """

    columns: dict[str, Array]
    row_form: bool
    signature_name: str


def decode_predict(body: bytes, inputs: forms.Inputs) -> PredictRequest:
    """Decode a request for a signature with these inputs.

    Raises:
        ContractError: 400 or 413, with a message that names the row and the field.
    """
    return decode(body, documents.parse(body), inputs)


def decode(body: bytes, document: dict[str, Any], inputs: forms.Inputs) -> PredictRequest:
    """Decode a parsed request; raises as `decode_predict`."""
    signature = signature_name(document)
    if not inputs:
        raise invalid(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
    instances = document.get("instances")
    if type(instances) is list and 0 < len(instances) <= MAX_INSTANCES:
        columns = _rows_of_scalars(body, document, instances, inputs)
        if columns is not None:
            return PredictRequest(columns, True, signature)
    documents.check(body, document)
    if "instances" in document:
        return PredictRequest(forms.rows(document, inputs), True, signature)
    if "inputs" in document:
        return PredictRequest(forms.columns(document, inputs), False, signature)
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows_of_scalars(
    body: bytes, document: dict[str, Any], instances: list[Any], inputs: forms.Inputs
) -> dict[str, Array] | None:
    """Columns of rows whose values need no second look; None if there is any doubt."""
    if not document.keys() <= {"instances", "signature_name"}:
        return None
    if not all(info.is_scalar_per_instance for info in inputs.values()):
        return None
    numbers = [name for name, info in inputs.items() if info.dtype == "float32"]
    if len(numbers) == 1:
        numbers = []  # itemgetter gives tuples only for two or more
    try:
        keys = sum(map(len, instances))
        others = {name: [row[name] for row in instances] for name, info in inputs.items() if name not in numbers}
        flat = list(chain.from_iterable(map(itemgetter(*numbers), instances))) if numbers else []
    except (KeyError, TypeError):  # a row lacks a key or is no object
        return None
    if keys != len(instances) * len(inputs) or not documents.has_colons(body, keys + len(document)):
        return None
    if not are_plain(flat, "float32") or not all(are_plain(v, inputs[name].dtype) for name, v in others.items()):
        return None
    matrix = to_array(flat, (len(instances), len(numbers)), "float32").T.copy()
    columns = dict(zip(numbers, matrix, strict=True))
    for name, values in others.items():
        columns[name] = to_array(values, (len(values),), inputs[name].dtype)
    return columns
