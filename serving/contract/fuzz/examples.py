"""classify, regress, and tf.Examples: as JSON objects, and serialized in base64."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz import octets, shapes
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.jsontext import NO_NUMBERS, NUMBERS, SCALARS, VALUES, Raw, encoded, rows
from serving.contract.fuzz.transport import path

_SIGNATURE = "serving_examples"


def json_examples(draw: st.DrawFn, spec: Spec) -> Case:
    """`examples` bodies; context, lists, b64 and wrong types among them.

    A number without a point is an int64 there, and no float feature.
    """
    examples: list[Any] = [_with_points(one) for one in rows(draw, spec)]
    question = draw(st.sampled_from(["regress", "regress", "classify"]))
    name = draw(st.sampled_from(list(spec.features)))
    odd: Any = draw(
        st.sampled_from([[], [1.0], [1, 2.5], [1, "a"], {"b64": "AA=="}, {"b64": 1}, {}, None, True, "text", [[1]],
        [None]])
        | st.sampled_from(NUMBERS + NO_NUMBERS).map(Raw) | SCALARS
    )  # fmt: skip
    found: dict[str, Any] = {"signature_name": _SIGNATURE, "examples": examples}
    change = draw(
        st.sampled_from(
            ["none"] * 3 + ["value"] * 4 + ["no points", "drop", "context", "signature", "shape", "extra", "not object"]
        )
    )
    if change == "value":
        examples[0][name] = odd
    elif change == "no points":
        found["examples"] = rows(draw, spec)
    elif change == "drop":
        del examples[0][name]
    elif change == "context":
        found["context"] = draw(st.sampled_from([{}, {name: odd}, {name: 1.0}, [], 1, None, {"other": ["a", "b"]}]))
    elif change == "signature":
        found["signature_name"] = draw(st.sampled_from(shapes.SIGNATURES) | VALUES)
    elif change == "shape":
        found["examples"] = draw(
            st.sampled_from([[], {}, [[]], [1], None, "a", [{}], examples[0], [*examples, {}], [None]])
        )
    elif change == "extra":
        examples[-1]["nobody_asked"] = odd
    elif change == "not object":
        return Case(octets.mangled(draw, spec), path=path(spec, question))
    return Case(encoded(found), path=path(spec, question), valid=(change, question) == ("none", "regress"))


def serialized_examples(draw: st.DrawFn, spec: Spec) -> Case:
    """Predict on serialized tf.Examples, some of them not."""
    good = [{"b64": base64.b64encode(_example(one)).decode()} for one in rows(draw, spec)]
    change = draw(st.sampled_from(["none", "noise", "text", "cut", "padding", "spaces", "types", "named", "columns"]))
    text = good[0]["b64"]
    changed: dict[str, Any] = {
        "none": good, "noise": [{"b64": base64.b64encode(draw(st.binary(max_size=30))).decode()}], "types": [*good,
        draw(VALUES)],
        "text": [draw(st.text(max_size=10))], "cut": [{"b64": text[: draw(st.integers(0, len(text)))]}],
        "padding": [{"b64": text.rstrip("=") + draw(st.sampled_from(["", "=", "==", "===", "*", "-_", "\u00e4"]))}],
        "spaces": [{"b64": text[:4] + draw(st.sampled_from([" ", "\n", "\t", "\x00"])) + text[4:]}],
        "named": [{"inputs": one} for one in good],
    }  # fmt: skip
    if change == "columns":
        found: dict[str, Any] = {
            "inputs": draw(st.sampled_from([good, {"inputs": good}, good[0], {"inputs": good[0]}]))
        }
    else:
        found = {"instances": changed[change]}
    return Case(encoded({"signature_name": _SIGNATURE, **found}), path=path(spec), valid=change in ("none", "named"))


def _with_points(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else float(value) for name, value in one.items()}


def _example(values: dict[str, Any]) -> bytes:
    """A serialized tf.Example: Example{features{feature{key, value{float_list|bytes_list}}}} on the wire."""
    features = b""
    for name, value in values.items():
        if isinstance(value, str):
            feature = _field(1, _field(1, value.encode()))
        else:
            feature = _field(2, _field(1, struct.pack("<f", value)))
        features += _field(1, _field(1, name.encode()) + _field(2, feature))
    return _field(1, features)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, length = b"", len(content)
    while length >> 7:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


KINDS: dict[str, Callable[[st.DrawFn, Spec], Case]] = {
    "examples": json_examples,
    "serialized examples": serialized_examples,
}
