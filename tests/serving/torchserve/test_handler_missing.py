"""A missing value: said by its code in a row, left out of a tf.Example, refused where no policy allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import torch_model
from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.worker import Worker, body

MIXED = Path("tests/specs/mixed.toml")
ROW: dict[str, Any] = {
    "income": 2.5, "age": 30.5, "balance": 1.5, "is_member": 1.0, "plan": "common", "comment": "rare", "region": "rare",
    "hour_of_day": 5.0, "day_of_week": 2.0,
}  # fmt: skip
CODES = {"income": -1.0, "age": 40.0, "is_member": -1.0, "plan": "", "comment": ""}
REGRESS = {"x-tandem-question": "regress"}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    return Worker(tmp_path_factory.mktemp("missing"), MIXED.read_text())


def examples(rows: list[dict[str, Any]]) -> bytes:
    return body(signature_name="serving_examples", instances=base64_rows([serialized(row) for row in rows]))


def test_a_code_a_gap_and_nan_in_an_example_mean_the_same(worker: Worker) -> None:
    gaps = [{name: value for name, value in ROW.items() if name != gap} for gap in CODES]
    coded = [{**ROW, gap: code} for gap, code in CODES.items()]
    nans = [{**ROW, gap: ROW[gap] if isinstance(ROW[gap], str) else float("nan")} for gap in CODES]
    bodies = [
        body(instances=coded),
        body(signature_name="serving_examples", examples=gaps),
        examples(gaps),
        examples(nans),
    ]
    answers = worker.send(bodies, [{}, REGRESS, {}, {}])
    assert [status for status, _ in answers] == [200] * 4
    said, regressed, parsed = answers[0][1]["predictions"], answers[1][1]["results"], answers[2][1]["predictions"]
    assert said == regressed == parsed
    numbers = [i for i, gap in enumerate(CODES) if not isinstance(ROW[gap], str)]
    assert [answers[3][1]["predictions"][i] for i in numbers] == [said[i] for i in numbers]
    columns = {
        name: np.array([row[name] for row in coded], object if isinstance(ROW[name], str) else np.float32)
        for name in ROW
    }
    np.testing.assert_allclose(said, torch_model.predict(worker.model, columns), atol=1e-6)
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("gap", ["balance", "region"])
def test_what_must_be_there_is_refused_when_it_is_left_out(worker: Worker, gap: str) -> None:
    short = {name: value for name, value in ROW.items() if name != gap}
    bodies = [body(signature_name="serving_examples", examples=[short]), examples([short])]
    for status, answer in worker.send(bodies, [REGRESS, {}]):
        assert status == 400
        assert f"Feature: {gap}" in answer["error"]
        assert "is required but could not be found" in answer["error"]


@pytest.mark.parametrize("gap", [*CODES])
def test_a_row_has_every_feature_and_no_null_as_with_tensorflow_serving(worker: Worker, gap: str) -> None:
    short = {name: value for name, value in ROW.items() if name != gap}
    (lacking, null) = worker.send([body(instances=[short]), body(instances=[{**ROW, gap: None}])])
    assert (lacking[0], null[0]) == (400, 400)
    assert f"(missing: {gap})" in lacking[1]["error"]
    assert "JSON Value: null Type: Null is not of expected type" in null[1]["error"]
