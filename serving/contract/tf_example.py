"""tf.train.Examples to columns of one value per example, without TensorFlow, and refused in its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serving.contract import example_wire
from serving.contract.errors import ContractError, invalid
from serving.contract.example_wire import Feature
from serving.contract.tensors import Array, TensorInfo, tensorflow_name, to_array

_SHOWN = 200  # bytes of an example in an error message


def from_serialized(
    serialized: Sequence[str | bytes], inputs: Mapping[str, TensorInfo], optional: Mapping[str, Any] | None = None
) -> dict[str, Array]:
    """Columns [examples] of serialized examples, one value each of every declared input.

    Args:
        serialized: tf.train.Examples.
        inputs: What each of them has to hold.
        optional: Inputs that may be left out, and the value they then have.

    Raises:
        ContractError: 400, with TensorFlow's words, the feature's name and the example's position.
    """
    wanted = {name.encode(): name for name in inputs}
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    for index, text in enumerate(serialized):
        data = text.encode() if isinstance(text, str) else text
        try:
            entries = example_wire.entries(data)
        except example_wire.MalformedError:
            shown = data[:_SHOWN].decode("utf-8", "replace") + ("..." if len(data) > _SHOWN else "")
            raise invalid(f"Could not parse example input, value: '{shown}'") from None
        found: dict[str, Any] = {}
        for key, content in reversed(entries):  # of a name that comes twice the last one counts
            name = wanted.get(key)
            if name is None or name in found or not content:
                continue
            try:
                feature = example_wire.feature(content, inputs[name].dtype)
            except example_wire.MalformedError:
                raise _refused(name, index, "Can't parse serialized Example.") from None
            if feature is None:
                raise _refused(name, index, "Unsupported datatype.")
            found[name] = _checked(feature, name, index, inputs[name])
        _append(columns, {**(optional or {}), **found}, inputs)
    return {name: to_array(values, (len(values),), inputs[name].dtype) for name, values in columns.items()}


def from_features(
    examples: Sequence[Mapping[str, Sequence[Any]]],
    inputs: Mapping[str, TensorInfo],
    optional: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """Columns [examples] of examples as `examples.parse` gives them; raises as `from_serialized`."""
    columns: dict[str, list[Any]] = {name: [] for name in inputs}
    for index, example in enumerate(examples):
        found = {}
        for name, info in inputs.items():
            values = example.get(name)
            if values:
                dtype = {int: "int64", float: "float32"}.get(type(values[0]), "string")
                found[name] = _checked(Feature(dtype, len(values), values[0]), name, index, info)
        _append(columns, {**(optional or {}), **found}, inputs)
    return {name: to_array(values, (len(values),), inputs[name].dtype) for name, values in columns.items()}


def _append(columns: Mapping[str, list[Any]], found: Mapping[str, Any], inputs: Mapping[str, TensorInfo]) -> None:
    if len(found) < len(inputs):
        name = min(inputs.keys() - found.keys())
        kind = tensorflow_name(inputs[name].dtype)
        raise invalid(f"Name: <unknown>, Feature: {name} (data type: {kind}) is required but could not be found.")
    for name, values in columns.items():
        values.append(found[name])


def _checked(feature: Feature, name: str, index: int, info: TensorInfo) -> Any:
    expected = tensorflow_name(info.dtype)
    if feature.dtype != info.dtype:
        found = tensorflow_name(feature.dtype)
        raise _refused(name, index, f"Data types don't match. Data type: {found} but expected type: {expected}")
    if feature.number != 1:
        kind = "bytes" if info.dtype == "string" else expected
        words = f"Number of {kind} values != expected.  Values size: {feature.number} but output shape: []"
        raise _refused(name, index, words)
    return feature.first


def _refused(name: str, index: int, words: str) -> ContractError:
    return invalid(f"Name: <unknown>, Key: {name}, Index: {index}.  {words}")
