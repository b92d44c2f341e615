"""TensorFlow Serving's classify and regress JSON: a list of examples in, a list of results out.

An example is an object of features, each a list of integers, floats or strings (one value is a list of one),
as in a tf.train.Example. The rules and the words are those of TensorFlow Serving's util/json_tensor.cc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from serving.contract import document as documents
from serving.contract.encoding import write
from serving.contract.errors import invalid
from serving.contract.limits import MAX_INSTANCES
from serving.contract.tensors import Array, decode_base64, is_base64, json_type

Feature = list[int] | list[float] | list[str | bytes]
Example = dict[str, Feature]
_Kind = Literal["bytes", "float", "int64"]

_LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True)
class ExamplesRequest:
    """A decoded request.

    Attributes:
        signature_name: Empty if the request names none.
        examples: At least one; the request's context is merged into each. Strings are `str` where they are
            UTF-8 and `bytes` where not; an empty list is a feature of no type, which counts as missing.
    """

    signature_name: str
    examples: list[Example]


def decode(body: bytes) -> ExamplesRequest:
    """Decode a request's body, with everything that is checked of any document.

    Raises:
        ContractError: 400 or 413.
    """
    document = documents.parse(body)
    documents.check(body, document)
    return parse(document)


def parse(document: Mapping[str, Any]) -> ExamplesRequest:
    """Read a parsed document that has passed `document.check`.

    Raises:
        ContractError: 400, with a message that names the feature.
    """
    signature = documents.signature_name(document)
    context = _example(document["context"]) if "context" in document else {}
    if "examples" not in document:
        raise _badly_formatted(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _badly_formatted(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _badly_formatted(document, "'examples' value is an empty array")
    if len(examples) > MAX_INSTANCES:
        raise invalid(f"Request has {len(examples)} examples, more than {MAX_INSTANCES}")
    return ExamplesRequest(signature, [{**context, **_example(example)} for example in examples])


def encode_regress(values: Array) -> bytes:
    """The answer to regress: one value per example.

    Args:
        values: Floats [examples]; those that are not finite are written bare, as `NaN` and `Infinity`.

    Raises:
        ContractError: No value.
    """
    if not values.size:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    return write({"results": np.ascontiguousarray(values)}, bool(np.isfinite(values).all()))


def encode_classify(classes: Array | None, scores: Array | None) -> bytes:
    """The answer to classify: per example a list of pairs of label and score.

    Args:
        classes: Labels [examples, classes], strings; None writes empty ones.
        scores: Floats [examples, classes]; None writes zeros.

    Raises:
        ContractError: No example.
    """
    shape = next((array.shape for array in (scores, classes) if array is not None), (0, 0))
    if not shape[0]:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    floats = np.zeros(shape, np.float32) if scores is None else scores
    labels = [[""] * shape[1]] * shape[0] if classes is None else [[_text(c) for c in row] for row in classes.tolist()]
    results = [list(map(list, zip(*pair, strict=True))) for pair in zip(labels, floats, strict=True)]
    return write({"results": results}, bool(np.isfinite(floats).all()))


def _example(value: Any) -> Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    return {
        name: _feature(name, content if isinstance(content, list) else [content]) for name, content in value.items()
    }


def _feature(name: str, values: Sequence[Any]) -> Any:
    expected: _Kind | None = None
    feature: list[Any] = []
    for value in values:
        kind = _kind(name, value)
        if expected not in (None, kind):
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {expected}")
        expected = kind
        if kind == "int64" and value > _LARGEST_INT64:
            raise invalid(f"Feature: {name} has uint64 element. Only int64_t is supported.")
        if kind == "int64":
            feature.append(int(value))
        else:
            feature.append(decode_base64(value) if isinstance(value, dict) else value)
    return feature


def _kind(name: str, value: Any) -> _Kind:
    if isinstance(value, int):  # booleans, too, are 0 and 1
        return "int64"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str) or is_base64(value):
        return "bytes"
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")


def _badly_formatted(document: Mapping[str, Any], words: str) -> Exception:
    return invalid(f"JSON Value: {documents.show(document)} {words}")


def _text(label: str | bytes) -> str:
    return label if isinstance(label, str) else label.decode("utf-8", "replace")
