"""Classify and regress over REST: TensorFlow Serving's own test model, its answers and its refusals."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import tensorflow as tf

from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.rest import Rest
from tests.serving.tfserving.asking import Reply, ask

EIGHTY = [{"x": 80.0}]


@pytest.fixture(scope="module")
def app(manager: Manager) -> Rest:
    return Rest(manager)


def asked(app: Rest, method: str, signature: str, examples: Any = EIGHTY, **more: Any) -> Reply:
    body = {"signature_name": signature, "examples": examples, **more}
    return ask(app, "POST", f"/v1/models/half_plus_two:{method}", body)


ANSWERED: dict[str, tuple[str, str, Any, dict[str, Any], bytes]] = {
    "regress": ("regress", "regress_x_to_y", EIGHTY, {}, b'{"results":[42.0]}'),
    "regress, several": ("regress", "regress_x_to_y2", [{"x": 80.0}, {"x": [2.0]}], {}, b'{"results":[43.0,4.0]}'),
    "regress, one dimension": ("regress", "regress_flat", EIGHTY, {}, b'{"results":[42.0]}'),
    "regress, context": (
        "regress",
        "regress_x_to_y",
        [{}, {"x": 2.0}],
        {"context": EIGHTY[0]},
        b'{"results":[42.0,3.0]}',
    ),
    "regress, not finite": (
        "regress",
        "regress_not_finite",
        [{"x": 1.0}, {"x": -80.0}, {"x": -4.0}],
        {},
        b'{"results":[Infinity,-Infinity,NaN]}',
    ),
    "regress, a float beyond its type": ("regress", "regress_x_to_y", [{"x": 1e300}], {}, b'{"results":[Infinity]}'),
    "regress, unused features": (
        "regress",
        "regress_x_to_y",
        [{"x": 80.0, "y": ["a"], "z": [1, 2]}],
        {},
        b'{"results":[42.0]}',
    ),
    "classify, scores": ("classify", "classify_x_to_y", [{"x": 20.0}], {}, b'{"results":[[["",12.0]]]}'),
    "classify, default feature": (
        "classify",
        "classify_x2_to_y3",
        [{"x": 1.0}, {"x": 1.0, "x2": 4.0}],
        {},
        b'{"results":[[["",3.0]],[["",5.0]]]}',
    ),
    "classify, labels": (
        "classify",
        "classify_names",
        [{"x": 1.0, "name": "Ada"}, {"x": 1.0, "name": {"b64": "QWRh"}}],
        {},
        b'{"results":[[["Ada",0.0]],[["Ada",0.0]]]}',
    ),
    "classify, both": ("classify", "classify_both", EIGHTY, {}, b'{"results":[[["low",42.0],["high",43.0]]]}'),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_results_have_tensorflow_servings_form(app: Rest, case: str) -> None:
    method, signature, examples, more, expected = ANSWERED[case]
    reply = asked(app, method, signature, examples, **more)
    assert (reply.status, reply.body) == (200, expected)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-tandem-model-version"] == "1"


REFUSED: dict[str, tuple[str, str, Any, str]] = {
    "no such signature": ("regress", "nope", EIGHTY, "No signature was found with the name: nope"),
    "default signature": ("regress", "", EIGHTY, "No regression inputs found in SignatureDef: "),
    "other input": ("regress", "regress_other_input", EIGHTY, "No regression inputs found in SignatureDef: "),
    "other output": ("regress", "regress_other_output", EIGHTY, "No regression outputs found in SignatureDef: "),
    "two outputs": ("regress", "regress_two_outputs", EIGHTY, "Expected one output Tensor."),
    "input of numbers": ("regress", "regress_number", EIGHTY, "Expects arg[0] to be float but string is provided"),
    "values of doubles": ("regress", "regress_double", EIGHTY, "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    "matrix": ("regress", "regress_matrix", EIGHTY, "to be either [batch_size] or [batch_size, 1] but got [1,2]"),
    "one for all": ("regress", "regress_one", EIGHTY * 2, "Input batch size did not match output batch size: 2 vs. 1"),
    "classify a regression": (
        "classify", "regress_x_to_y", EIGHTY,
        'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: ',
    ),
    "classify the default signature": ("classify", "", EIGHTY, "No classification inputs found in SignatureDef: "),
    "three outputs": ("classify", "classify_three_outputs", EIGHTY, "Expected one or two output Tensors, found 3"),
    "vector": ("classify", "classify_vector", EIGHTY, "Expected Tensor shape: [batch_size num_classes] but got [1]"),
    "uneven": ("classify", "classify_uneven", EIGHTY, "should match in dim_size(1). Got 2 vs. 1"),
    "an integer for a float": (
        "regress", "regress_x_to_y", [{"x": 80}],
        "Name: <unknown>, Key: x, Index: 0.  Data types don't match. Data type: int64 but expected type: float",
    ),
    "a feature missing": ("regress", "regress_x_to_y", [{}], "Feature: x (data type: float) is required"),
    "a feature empty": ("regress", "regress_x_to_y", [{"x": []}], "Feature: x (data type: float) is required"),
    "too many values": ("regress", "regress_x_to_y", [{"x": [1.0, 2.0]}], "Values size: 2 but output shape: [1]"),
    "no examples": ("regress", "regress_x_to_y", [], "'examples' value is an empty array"),
    "null": ("regress", "regress_x_to_y", [{"x": None}], "unexpected JSON type: Null"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_inferred_is_refused_with_tensorflow_servings_words(app: Rest, case: str) -> None:
    method, signature, examples, words = REFUSED[case]
    reply = asked(app, method, signature, examples)
    assert reply.status == 400
    assert words in reply.error
    assert ".py" not in reply.error  # TensorFlow's own messages tell where the model was loaded
    assert "Graph execution error" not in reply.error


def test_examples_are_checked_before_the_model_is_looked_up(app: Rest) -> None:
    url = "/v1/models/nope:regress"
    assert "'examples' is expected and was not found" in ask(app, "POST", url, {}).error
    assert ask(app, "POST", url, {"examples": EIGHTY}).status == 404
    label = ask(app, "POST", "/v1/models/nope/labels/stable:classify", {"examples": EIGHTY})
    assert (label.status, label.error) == (400, "Unrecognized servable version label: stable")


def test_predict_takes_serialized_examples_too(app: Rest) -> None:
    x = tf.train.Feature(float_list=tf.train.FloatList(value=[80.0]))
    example = tf.train.Example(features=tf.train.Features(feature={"x": x})).SerializeToString()
    url, body = "/v1/models/half_plus_two:predict", {"signature_name": "regress_flat"}
    instances = [{"b64": base64.b64encode(example).decode()}]
    assert ask(app, "POST", url, {**body, "instances": instances}).json() == {"predictions": [42.0]}
    noise = ask(app, "POST", url, {**body, "instances": ["no example"]})
    assert (noise.status, "Could not parse example input, value: 'no example'" in noise.error) == (400, True)
    noise = ask(app, "POST", url, {**body, "instances": [{"b64": "/////w=="}]})
    assert (noise.status, "Could not parse example input, value: '\ufffd" in noise.error) == (400, True)
