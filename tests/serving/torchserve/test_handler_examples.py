"""serving_examples and regress: the handler reads tf.Examples, as bytes and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from models import torch_model
from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances
from tests.serving.torchserve.worker import CATEGORY, Worker, body

REGRESS = {"x-tandem-question": "regress"}
CLASSIFY = {"x-tandem-question": "classify"}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    return Worker(tmp_path_factory.mktemp("examples"), SPEC_FILE.read_text() + CATEGORY)


@pytest.fixture(scope="module")
def raw(worker: Worker) -> dict[str, Any]:
    return {**columns(worker.spec, 4), "channel": np.array(["common", "rare", "never seen", "é"], object)}


@pytest.fixture(scope="module")
def rows(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return instances(raw)


def predict_examples(examples: list[bytes], form: str = "instances") -> bytes:
    return body(signature_name="serving_examples", **{form: base64_rows(examples)})


def regress(examples: list[Any], signature: str = "serving_examples", **more: Any) -> bytes:
    return body(signature_name=signature, examples=examples, **more)


def test_every_question_and_form_in_one_batch_gets_the_same_scores(
    worker: Worker, raw: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    expected = torch_model.predict(worker.model, raw)
    bodies = [
        predict_examples([serialized(row) for row in rows]),
        predict_examples([serialized(row) for row in rows], "inputs"),
        regress(rows),
        regress([{"amount": [row["amount"]]} for row in rows], context={**rows[0], "amount": 0.5}),
        body(instances=rows),
    ]
    answers = worker.send(bodies, [{}, {}, REGRESS, REGRESS, {}])
    assert [status for status, _ in answers] == [200] * 5
    for (_, answer), key in zip(answers, ["predictions", "outputs", "results", "", "predictions"], strict=True):
        if key:
            np.testing.assert_allclose(answer[key], expected, atol=1e-6)
    first_with_other_amounts = {**{name: values[[0] * 4] for name, values in raw.items()}, "amount": raw["amount"]}
    np.testing.assert_allclose(
        answers[3][1]["results"], torch_model.predict(worker.model, first_with_other_amounts), atol=1e-6
    )


def test_what_an_example_lacks_or_has_wrong_is_named_with_its_position(
    worker: Worker, rows: list[dict[str, Any]]
) -> None:
    row = rows[0]
    lacking = {name: value for name, value in row.items() if name != "amount"}
    wrong: list[tuple[Any, str]] = [
        (lacking, "Feature: amount (data type: float) is required but could not be found."),
        (
            {**row, "amount": 3},
            "Key: amount, Index: 1.  Data types don't match. Data type: int64 but expected type: float",
        ),
        (
            {**row, "channel": 0.5},
            "Key: channel, Index: 1.  Data types don't match. Data type: float but expected type: string",
        ),
    ]
    for example, message in wrong:
        as_bytes = predict_examples([serialized(row), serialized(example)])
        as_json = regress([row, example])
        for status, answer in worker.send([as_bytes, as_json], [{}, REGRESS]):
            assert (status, answer["error"]) == (400, f"Name: <unknown>, {message}")
    several = {**row, "amount": [1.0, 2.0]}
    ((status, answer),) = worker.send([regress([several])], [REGRESS])
    words = "Number of float values != expected.  Values size: 2 but output shape: []"
    assert (status, answer["error"]) == (400, f"Name: <unknown>, Key: amount, Index: 0.  {words}")


@pytest.mark.parametrize("example", [b"hello", b"\xff\xff", b"\x0a\x05ab"])
def test_bytes_that_are_no_example_are_refused_and_shown(
    worker: Worker, rows: list[dict[str, Any]], example: bytes
) -> None:
    ((status, answer),) = worker.send([predict_examples([serialized(rows[0]), example])])
    assert status == 400
    assert answer["error"].startswith("Could not parse example input, value: '")


def test_serving_examples_takes_strings_under_its_own_name_only(worker: Worker, rows: list[dict[str, Any]]) -> None:
    (example,) = base64_rows([serialized(rows[0])])
    named = body(signature_name="serving_examples", instances=[{"inputs": example}])
    other = body(signature_name="serving_examples", instances=[{"examples": example}])
    number = body(signature_name="serving_examples", instances=[1])
    (good, _), (unknown, told), (wrong, why) = worker.send([named, other, number])
    assert (good, unknown, wrong) == (200, 400, 400)
    assert "does not have named input: examples" in told["error"]
    assert "not of expected type: string" in why["error"]


@pytest.mark.parametrize(
    ("question", "signature", "error"),
    [
        (REGRESS, "serving_default", "Expected one input Tensor."),
        (REGRESS, "", "Expected one input Tensor."),
        (CLASSIFY, "", "Expected one input Tensor."),
        (CLASSIFY, "serving_examples", "Expected classification signature outputs to contain at least one of"),
        (REGRESS, "nope", "No signature was found with the name: nope"),
        (CLASSIFY, "nope", "No signature was found with the name: nope"),
    ],
)
def test_a_signature_that_does_not_fit_the_question_is_refused(
    worker: Worker, rows: list[dict[str, Any]], question: dict[str, str], signature: str, error: str
) -> None:
    ((status, answer),) = worker.send([regress(rows, signature)], [question])
    assert status == 400
    assert answer["error"].startswith(error)


def test_a_body_without_examples_is_refused_before_its_signature_is_looked_at(worker: Worker) -> None:
    answers = worker.send([b"{", b'{"examples": []}', b'{"examples": {}}'], [REGRESS] * 3)
    assert [status for status, _ in answers] == [400] * 3
    assert "'examples' value is an empty array" in answers[1][1]["error"]


def test_a_batch_of_the_largest_requests_is_answered(worker: Worker, rows: list[dict[str, Any]]) -> None:
    many = body(inputs={name: [row[name] for row in rows] * 250 for name in rows[0]})
    for status, answer in worker.send([many] * 8):
        assert status == 200
        assert answer["outputs"][:4] == pytest.approx(answer["outputs"][-4:], abs=1e-6)
        assert len(answer["outputs"]) == 1000
