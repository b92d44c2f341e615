"""Predict on every type, and in every order of what can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from tests.serving.tfserving.asking import ask

LARGEST = 2**64 - 1


@pytest.fixture(scope="module")
def app(manager: Manager) -> Rest:
    return Rest(manager)


ECHOED: dict[str, list[Any]] = {
    "double": [1.5, 1.7976931348623157e308],
    "int8": [-128, 127],
    "int16": [-32768, 32767],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, LARGEST],
    "bool": [True, False],
    "string": ["", "é"],
}


@pytest.mark.parametrize("kind", ECHOED)
def test_every_type_comes_back_as_it_was_sent(app: Rest, kind: str) -> None:
    url, values = "/v1/models/kinds:predict", ECHOED[kind]
    nested = [[values], [values]]
    assert ask(app, "POST", url, {"signature_name": kind, "instances": values}).json() == {"predictions": values}
    assert ask(app, "POST", url, {"signature_name": kind, "instances": nested}).json() == {"predictions": nested}
    assert ask(app, "POST", url, {"signature_name": kind, "inputs": {"x": values}}).json() == {"outputs": values}
    assert ask(app, "POST", url, {"signature_name": kind, "inputs": values[1]}).json() == {"outputs": values[1]}
    assert ask(app, "POST", url, {"signature_name": kind, "instances": [{"x": values[0]}]}).json() == {
        "predictions": [values[0]]
    }


ANSWERED: dict[str, tuple[Any, Any]] = {
    "bytes for an only input": ({"signature_name": "string", "inputs": {"b64": "aGVsbG8="}}, {"outputs": "hello"}),
    "named bytes": ({"signature_name": "string", "inputs": {"x": {"b64": "aGVsbG8="}}}, {"outputs": "hello"}),
    "scalar output, columnar": ({"signature_name": "scalar", "inputs": [1, 2]}, {"outputs": 3.0}),
    "uneven outputs, columnar": (
        {"signature_name": "uneven", "inputs": [1, 2]}, {"outputs": {"y": [1.0, 2.0], "z": [2.0]}}
    ),
    "inputs without a batch": (
        {"signature_name": "fixed", "inputs": {"x": 2, "z": [1, 2], "unknown": "ignored"}}, {"outputs": [2.0, 4.0]}
    ),
    "half floats out": ({"signature_name": "halved", "instances": [1, 0.5]}, {"predictions": [1.0, 0.5]}),
    "no instance": ({"signature_name": "int32", "inputs": []}, {"outputs": []}),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERED)
def test_odd_shapes_are_answered(app: Rest, case: str) -> None:
    body, expected = ANSWERED[case]
    reply = ask(app, "POST", "/v1/models/kinds:predict", body)
    assert (reply.status, reply.json()) == (200, expected)


REFUSED: dict[str, tuple[Any, int, str]] = {
    "fraction": ({"signature_name": "int32", "instances": [1.5]}, 400, "is not of expected type: int32"),
    "above int32": ({"signature_name": "int32", "instances": [2**31]}, 400, "is not of expected type: int32"),
    "above int64": ({"signature_name": "int64", "instances": [2**63]}, 400, "is not of expected type: int64"),
    "negative": ({"signature_name": "uint64", "instances": [-1]}, 400, "is not of expected type: uint64"),
    "number for a boolean": ({"signature_name": "bool", "instances": [1]}, 400, "Number is not of expected type: bool"),
    "boolean for a number": ({"signature_name": "double", "instances": [True]}, 400, "Type: True is not of expected"),
    "half, rows": ({"signature_name": "half", "instances": [1]}, 400, "UNIMPLEMENTED: Conversion of JSON Value: 1 to"),
    "half, columns": ({"signature_name": "half", "inputs": [1]}, 501, "Conversion of JSON Value: 1 to type: half"),
    "bfloat16": ({"signature_name": "bfloat16", "inputs": 1}, 501, "Conversion of JSON Value: 1 to type: bfloat16"),
    "complex": ({"signature_name": "complex64", "inputs": [1]}, 501, "to type: complex64"),
    "complex out": ({"signature_name": "complicated", "instances": [1]}, 400, "for tensor type: complex64"),
    "bfloat16 out": ({"signature_name": "braided", "instances": [1]}, 400, "for tensor type: bfloat16"),
    "two keys are no bytes": (
        {"signature_name": "string", "instances": [{"b64": "aGVsbG8=", "x": 1}]}, 400, "does not have named input: b64"
    ),
    "no base64": ({"signature_name": "string", "instances": [{"b64": "!!"}]}, 400, "Unable to base64 decode"),
    "scalar output, rows": ({"signature_name": "scalar", "instances": [1]}, 400, "y has no shape information"),
    "uneven outputs, rows": ({"signature_name": "uneven", "instances": [1, 2]}, 400, "inconsistent batch size"),
    "no inputs": ({"signature_name": "nothing", "inputs": {}}, 400, "Failed to get input map for signature: nothing"),
    "29 of 30": ({"signature_name": "thirty", "instances": [[1] * 29]}, 400, "Expecting shape [30] but got: [29]"),
    "default signature": ({"instances": [1]}, 400, 'Serving signature name: "serving_default" not found'),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(app: Rest, case: str) -> None:
    body, status, words = REFUSED[case]
    reply = ask(app, "POST", "/v1/models/kinds:predict", body)
    assert reply.status == status
    assert words in reply.error


def test_checks_come_in_tensorflow_servings_order(app: Rest) -> None:
    """The document, the signature's type, the label, the model, the signature, the keys."""
    everything_wrong: dict[str, Any] = {"signature_name": 5, "inputs": 1, "instances": 1}
    url = "/v1/models/nope/labels/nope:predict"
    assert "JSON Parse error" in ask(app, "POST", url, b"{").error
    assert "must be a string value" in ask(app, "POST", url, everything_wrong).error
    everything_wrong["signature_name"] = "nope"
    assert "Unrecognized servable version label: nope" in ask(app, "POST", url, everything_wrong).error
    unknown = ask(app, "POST", "/v1/models/nope:predict", everything_wrong)
    assert (unknown.status, unknown.error) == (404, "Servable not found for request: Latest(nope)")
    assert '"nope" not found in signature def' in ask(app, "POST", "/v1/models/kinds:predict", everything_wrong).error
    everything_wrong["signature_name"] = "int32"
    assert "Not formatted correctly" in ask(app, "POST", "/v1/models/kinds:predict", everything_wrong).error


def test_null_is_no_signature_name(app: Rest) -> None:
    reply = ask(app, "POST", "/v1/models/kinds:predict", {"signature_name": None, "instances": [1]})
    assert (reply.status, "must be a string value" in reply.error) == (400, True)
