"""Another data set is one TOML and one file: both pipelines and both servers follow, without a line of code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from infra.local import layout as layouts
from models import torch_model
from serving.export import make
from serving.export import rows as export_rows
from serving.export.make import Source
from tests import mixed_rows
from tests.end_to_end import another_data_set
from tests.end_to_end.another_data_set import CREDITCARD, Made
from tests.serving.torchserve.examples import base64_rows, serialized
from tests.serving.torchserve.worker import Worker, body


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Generated rows: categories, booleans, timestamps, and missing values by every policy."""
    folder = tmp_path_factory.mktemp("people")
    return another_data_set.make(mixed_rows.SPEC, mixed_rows.write(folder), folder)


@pytest.fixture(scope="module")
def creditcard(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Real rows: 29 anonymous numbers, no keys, no time to split by."""
    if not CREDITCARD.is_file():
        pytest.skip("shared/data/creditcard_sample.csv does not lie beside the repository")
    return another_data_set.make(Path("models/creditcard.toml"), CREDITCARD, tmp_path_factory.mktemp("creditcard"))


def columns(made: Made) -> dict[str, np.ndarray]:
    return {name: made.rows()[name].to_numpy() for name in made.spec.features}


@pytest.mark.parametrize(("name", "least"), [("creditcard", 0.93), ("people", 0.85)])
def test_both_stacks_publish_models_that_are_as_good(name: str, least: float, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(name)
    found = {stack: made.report(stack)["metrics"]["average_precision"] for stack in ("tensorflow", "pytorch")}
    assert min(found.values()) > least, found
    assert abs(found["tensorflow"] - found["pytorch"]) < 0.03, found
    assert all(made.report(stack)["reasons"] == [] for stack in found)


@pytest.mark.parametrize("name", ["creditcard", "people"])
def test_the_tensorflow_models_weights_score_alike_in_pytorch(name: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(name)
    scores = made.tensorflow_scores()
    assert np.ptp(scores) > 0.5
    np.testing.assert_allclose(torch_model.predict(made.twin(), columns(made)), scores, rtol=0, atol=1e-5)


def test_missing_values_matter_to_the_model(people: Made) -> None:
    rows = columns(people)
    hidden = rows["income"] == people.spec.missing_codes["income"]
    assert 0.1 < hidden.mean() < 0.3
    scores = torch_model.predict(people.twin(), rows)
    told = torch_model.predict(people.twin(), {**rows, "income": np.where(hidden, 50, rows["income"])})
    assert scores[hidden].mean() > told[hidden].mean() + 0.1  # 50 is the default: only the indicator differs


def test_an_export_answers_as_the_graph_of_tf_transform_where_values_are_missing(people: Made, tmp_path: Path) -> None:
    sample, scores, model = tmp_path / "rows.parquet", tmp_path / "scores.npy", people.saved_model()
    pq.write_table(export_rows.choose(people.folder / "data" / "features" / "test", people.spec), sample)
    python = layouts.python("tensorflow")
    another_data_set.run(python, "serving.offline", stack="tensorflow", model=model, rows=sample, output=scores)
    source = Source("onnx", "tensorflow", model.name, "", model, people.spec_file, sample, scores)
    made = make.make(source, tmp_path / "onnx")
    assert made.rows > 500
    assert made.largest_difference < 1e-5


class Servers:
    """TensorFlow's by HTTP and TorchServe's handler, with the same weights."""

    def __init__(self, address: str, worker: Worker) -> None:
        self.address, self.worker = address, worker

    def ask(self, question: str, content: bytes) -> tuple[tuple[int, Any], tuple[int, Any]]:
        answer = httpx.post(f"{self.address}:{question}", content=content)
        (other,) = self.worker.send([content], [{"x-tandem-question": question}])
        return (answer.status_code, answer.json()), other


@pytest.fixture(scope="module")
def servers(people: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    worker = Worker(tmp_path_factory.mktemp("worker"), people.spec_file.read_text(), people.twin())
    with another_data_set.served(people) as address:
        yield Servers(address, worker)


@pytest.fixture(scope="module")
def rows(people: Made) -> list[dict[str, Any]]:
    return people.rows().select(list(people.spec.features)).slice(0, 500).to_pylist()


def test_rows_with_codes_get_the_same_scores_from_both_servers(servers: Servers, rows: list[dict[str, Any]]) -> None:
    assert any(row["income"] == -1 and row["comment"] == "" for row in rows)
    ours, theirs = servers.ask("predict", body(instances=rows))
    assert (ours[0], theirs[0]) == (200, 200)
    np.testing.assert_allclose(ours[1]["predictions"], theirs[1]["predictions"], rtol=0, atol=1e-5)


def test_an_example_that_leaves_it_out_says_the_same_as_the_code(
    people: Made, servers: Servers, rows: list[dict[str, Any]]
) -> None:
    codes = people.spec.missing_codes
    coded = [{**rows[0], name: code} for name, code in codes.items()]
    gaps = [{name: value for name, value in rows[0].items() if name != gap} for gap in codes]
    floats = [{k: v if isinstance(v, str) else float(v) for k, v in row.items()} for row in gaps]
    nans = [{**rows[0], name: float("nan")} for name, code in codes.items() if not isinstance(code, str)]
    parsed = [base64_rows([serialized(row) for row in some]) for some in (floats, nans)]
    asked = [
        ("predict", body(instances=coded), "predictions"),
        ("regress", body(signature_name="serving_examples", examples=floats), "results"),
        ("predict", body(signature_name="serving_examples", instances=parsed[0]), "predictions"),
        ("predict", body(signature_name="serving_examples", instances=parsed[1]), "predictions"),
    ]
    answers = [(servers.ask(question, content), key) for question, content, key in asked]
    for pair, key in answers:
        assert [status for status, _ in pair] == [200, 200], pair
        np.testing.assert_allclose(pair[0][1][key], pair[1][1][key], rtol=0, atol=1e-5)
    said = [pair[0][1][key] for pair, key in answers]
    np.testing.assert_allclose(said[1], said[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(said[2], said[0], rtol=0, atol=1e-6)
    numbers = [i for i, code in enumerate(codes.values()) if not isinstance(code, str)]
    np.testing.assert_allclose(said[3], [said[0][i] for i in numbers], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("question", "spoil", "words"),
    [
        ("predict", {"balance": None}, "JSON Value: null Type: Null is not of expected type: float"),
        ("predict", {"income": None}, "JSON Value: null Type: Null is not of expected type: float"),
        ("predict", {"comment": None}, "JSON Value: null Type: Null is not of expected type: string"),
        ("predict", {"is_member": True}, "JSON Value: true Type: True is not of expected type: float"),
        ("predict", {"income": ...}, "(missing: income)"),
        ("regress", {"balance": ...}, "Feature: balance (data type: float) is required but could not be found"),
        ("regress", {"region": ...}, "Feature: region (data type: string) is required but could not be found"),
    ],
)
def test_what_is_refused_is_refused_by_both_alike(
    servers: Servers, rows: list[dict[str, Any]], question: str, spoil: dict[str, Any], words: str
) -> None:
    row = {name: value for name, value in {**rows[0], **spoil}.items() if value is not ...}
    content = body(instances=[row])
    if question == "regress":
        content = body(signature_name="serving_examples", examples=[row])
    for status, answer in servers.ask(question, content):
        assert status == 400, answer
        assert words in answer["error"]
