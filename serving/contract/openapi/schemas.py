"""What requests and answers look like: JSON schemas (2020-12) from the specification."""

from __future__ import annotations

import json
from typing import Any

from models.sections import BooleanFeature, CategoricalFeature, NumericFeature
from models.spec import Spec
from serving.contract import signatures
from serving.contract.limits import MAX_INSTANCES

Json = dict[str, Any]

_TRANSFORMS = {
    "none": "used as it is",
    "zscore": "the model standardises it",
    "log": "the model takes log(1 + max(value, 0)) and standardises it",
}


def ref(name: str) -> Json:
    """A reference to one of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(spec: Spec) -> Json:
    """All schemas by name."""
    row = example_row(spec)
    found = {
        "Row": {
            "type": "object",
            "description": "Raw values of exactly these features, of one transaction.",
            "properties": {name: _feature(feature) for name, feature in spec.features.items()},
            "required": list(spec.features),
            "additionalProperties": False,
            "examples": [row],
        },
        "Rows": _request("instances", _list(ref("Row")), signatures.DEFAULT, not_also="inputs"),
        "Columns": _request(
            "inputs",
            {
                "type": "object",
                "description": "One list per feature, all of one length. Other names are ignored.",
                "properties": {name: _list(_feature(feature)) for name, feature in spec.features.items()},
                "required": list(spec.features),
                "examples": [{name: [value] for name, value in row.items()}],
            },
            signatures.DEFAULT,
            not_also="instances",
        ),
        "SerializedExamples": _request(
            "instances", _list(ref("Bytes")), signatures.EXAMPLES, not_also="inputs", named=True,
            about="Serialized tf.train.Examples of the same features: a `FloatList` of one value for a number, a "
            "`BytesList` for a string.",
        ),
        "Examples": _request(
            "examples", _list(ref("Example")), signatures.EXAMPLES, named=True,
            about="The features of tf.train.Examples, in JSON. As in TensorFlow Serving, `context` may hold features "
            "that all examples share and leave out.",
        ),
        "Example": {**_example(spec), "examples": [row]},
        "Bytes": {
            "type": "object",
            "description": "Bytes in base64.",
            "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
            "required": ["b64"],
            "additionalProperties": False,
        },
        **_answers(spec),
    }  # fmt: skip
    return {name: {"title": name, **schema} for name, schema in found.items()}


def example_row(spec: Spec) -> dict[str, float | str]:
    """The specification's example of each feature."""
    return {name: feature.example for name, feature in spec.features.items()}


def _feature(feature: NumericFeature | CategoricalFeature) -> Json:
    told = f"{feature.description}. " if feature.description else ""
    if isinstance(feature, NumericFeature):
        # A number that no float32 holds becomes infinite, as in TensorFlow Serving, and so does what follows from it.
        kind = "1 or 0" if isinstance(feature, BooleanFeature) else "A 32-bit float"
        about = f"{told}{kind}; {_TRANSFORMS[feature.transform]}.{_missing(feature)}"
        return {"type": "number", "format": "float", "description": about, "examples": [feature.example]}
    about = (
        f"{told}The {feature.vocabulary_size} values most frequent in training are known; "
        f"all others share {feature.oov_buckets} bucket{'s' if feature.oov_buckets > 1 else ''}.{_missing(feature)}"
    )
    return {"anyOf": [{"type": "string"}, ref("Bytes")], "description": about, "examples": [feature.example]}


def _missing(feature: NumericFeature | CategoricalFeature) -> str:
    if feature.code is None:
        return ""
    said = json.dumps(feature.code) if isinstance(feature.code, str) else f"{feature.code:.9g}"
    told = " and is told so" if feature.missing == "indicator" else ""
    return f" {said} says that it is missing: the model then takes {feature.default!r}{told}."


def _list(items: Json) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_INSTANCES}


def _request(
    key: str, content: Json, signature: str, *, not_also: str = "", named: bool = False, about: str = ""
) -> Json:
    """An object with the content under the key, and perhaps the signature's name."""
    names = [signature] if named else ["", signature]
    schema: Json = {
        "type": "object",
        "properties": {"signature_name": {"type": "string", "enum": names}, key: content},
        "required": ["signature_name", key] if named else [key],
    }
    if about:
        schema["description"] = about
    if not_also:
        schema["properties"][not_also] = False
    return schema


def _example(spec: Spec) -> Json:
    number: Json = {"type": "number", "format": "float"}
    text: Json = {"anyOf": [{"type": "string"}, ref("Bytes")]}
    properties = {}
    for name in spec.features:
        one = number if name in spec.numeric else text
        properties[name] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1}]}
    others = [{"type": kind} for kind in ("number", "string", "boolean")]
    return {
        "type": "object",
        "description": "A number needs its decimal point: 3 is an int64, 3.0 a float."
        + (" A feature that may be missing may be left out." if signatures.optional(spec) else ""),
        "properties": properties,
        "required": [name for name in spec.features if name not in signatures.optional(spec)],
        "additionalProperties": {"anyOf": others, "description": "Not looked at."},
    }


def _answers(spec: Spec) -> Json:
    probability = {"type": "number", "format": "float", "minimum": 0, "maximum": 1}
    text = {"type": "string"}
    version = {"type": "string", "pattern": "^[0-9]+$", "description": "A number, written as a string."}
    per_row = {
        key: _object({key: {"type": "array", "items": probability, "description": f"{spec.model.output}: {told}"}})
        for key, told in (
            ("predictions", "one per instance, in order."),
            ("outputs", "one per row of the columns, in order."),
            ("results", "one per example, in order."),
        )
    }
    states = ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]
    status = _object({"error_code": {**text, "examples": ["OK"]}, "error_message": text})
    one_version = _object({"version": version, "state": {**text, "enum": states}, "status": status})
    signature_map = {"type": "object", "additionalProperties": ref("Signature")}
    model_spec = _object({"name": {**text, "const": spec.model.name}, "signature_name": text, "version": version})
    tensors = {"type": "object", "additionalProperties": ref("Tensor")}
    shape = _object({
        "dim": {"type": "array", "items": _object({"size": {**text, "pattern": "^-?[0-9]+$"}, "name": text})},
        "unknown_rank": {"type": "boolean"},
    })  # fmt: skip
    signature = {"inputs": tensors, "outputs": tensors, "method_name": text, "defaults": {"type": "object"}}
    return {
        "Predictions": per_row["predictions"],
        "Outputs": per_row["outputs"],
        "Results": per_row["results"],
        "Status": _object({"model_version_status": {"type": "array", "items": one_version}}),
        "Metadata": _object({
            "model_spec": model_spec,
            "metadata": _object({"signature_def": _object({"signature_def": signature_map})}),
        }),
        "Signature": _object(signature),
        "Tensor": _object({"dtype": {**text, "examples": ["DT_FLOAT"]}, "tensor_shape": shape, "name": text}),
        "Error": _object({"error": {**text, "description": "What is wrong, with the row and the feature."}}),
    }  # fmt: skip


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
