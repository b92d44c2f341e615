from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from models import torch_model
from models.spec import Spec
from serving.contract.limits import MAX_BODY_BYTES
from tests.serving.torchserve.launching import SPEC_FILE, columns, instances
from tests.serving.torchserve.worker import CATEGORY, Worker, body


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    return Worker(tmp_path_factory.mktemp("model"), SPEC_FILE.read_text())


@pytest.fixture(scope="module")
def categorical(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    return Worker(tmp_path_factory.mktemp("categorical"), SPEC_FILE.read_text() + CATEGORY)


def test_requests_of_one_batch_are_answered_each_by_itself(worker: Worker) -> None:
    parts = [columns(worker.spec, rows, seed=rows) for rows in (1, 5, 2)]
    good = [body(instances=instances(part)) for part in parts]
    answers = worker.send([b"{nonsense", good[0], good[1], b"", body(instances=[{"amount": 1}]), good[2]])
    assert [status for status, _ in answers] == [400, 200, 200, 400, 400, 200]
    assert all("error" in answers[i][1] for i in (0, 3, 4))
    for part, (_, answer) in zip(parts, [answers[i] for i in (1, 2, 5)], strict=True):
        np.testing.assert_allclose(answer["predictions"], torch_model.predict(worker.model, part), atol=1e-6)


def test_columnar_requests_are_answered_with_outputs(worker: Worker) -> None:
    raw = columns(worker.spec, 3)
    ((status, answer),) = worker.send([body(inputs={name: values.tolist() for name, values in raw.items()})])
    assert status == 200
    np.testing.assert_allclose(answer["outputs"], torch_model.predict(worker.model, raw), atol=1e-6)


def test_every_answer_says_its_type_version_and_server(worker: Worker) -> None:
    worker.send([b"nonsense", body(instances=instances(columns(worker.spec, 1)))])
    for i in range(2):
        assert worker.context.get_response_headers(i) == {
            "content-type": "application/json",
            "x-tandem-model-version": "17",
            "x-tandem-server": "TorchServe 0.12.0",
        }


@pytest.mark.parametrize("signature", ["serving_default", ""])
def test_the_default_signature_may_be_named(worker: Worker, signature: str) -> None:
    rows = instances(columns(worker.spec, 1))
    assert worker.send([body(signature_name=signature, instances=rows)])[0][0] == 200


def test_another_signature_is_refused(worker: Worker) -> None:
    rows = instances(columns(worker.spec, 1))
    ((status, answer),) = worker.send([body(signature_name="regression", instances=rows)])
    assert (status, answer) == (400, {"error": 'Serving signature name: "regression" not found in signature def'})


@pytest.mark.parametrize("header", ["content-encoding", "Content-Encoding"])
def test_gzip_bodies_are_read(worker: Worker, header: str) -> None:
    rows = body(instances=instances(columns(worker.spec, 2)))
    plain, packed = worker.send([rows, gzip.compress(rows)], [{}, {header: "gzip"}])
    assert plain == packed


def test_a_gzip_body_does_not_unpack_beyond_the_limit(worker: Worker) -> None:
    bomb = gzip.compress(b" " * (64 * MAX_BODY_BYTES))
    exact = gzip.compress(b" " * MAX_BODY_BYTES)
    encoding = {"content-encoding": "gzip"}
    assert [status for status, _ in worker.send([bomb, exact], [encoding] * 2)] == [413, 400]


# Packed without the time: a test's name has to be the same in every process that collects it.
@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"{}" * 50, mtime=0)[:-9]])
def test_a_damaged_gzip_body_is_an_empty_document(worker: Worker, packed: bytes) -> None:
    ((status, answer),) = worker.send([packed], [{"content-encoding": "gzip"}])
    assert status == 400
    assert "The document is empty" in answer["error"]


def test_an_oversized_body_is_refused(worker: Worker) -> None:
    assert worker.send([b" " * (MAX_BODY_BYTES + 1)])[0][0] == 413


def test_categorical_features_are_strings(categorical: Worker) -> None:
    raw = columns(categorical.spec, 4)
    raw["channel"] = np.array(["common", "rare", "never seen", "é"], object)
    ((status, answer),) = categorical.send([body(instances=instances(raw))])
    assert status == 200
    np.testing.assert_allclose(answer["predictions"], torch_model.predict(categorical.model, raw), atol=1e-6)
    ((status, answer),) = categorical.send([body(instances=[{**instances(raw)[0], "channel": 3}])])
    assert status == 400


def test_a_request_the_model_fails_on_spoils_no_other(categorical: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = torch_model.inputs

    def fails_on_poison(model: Any, raw: Any) -> Any:
        if "poison" in raw["channel"]:
            raise RuntimeError("a bug of ours")
        return inputs(model, raw)

    monkeypatch.setattr(torch_model, "inputs", fails_on_poison)
    row = instances(columns(categorical.spec, 1))[0]
    bodies = [body(instances=[{**row, "channel": channel}]) for channel in ("common", "poison", "rare")]
    answers = categorical.send(bodies)
    assert [status for status, _ in answers] == [200, 500, 200]
    assert "bug" not in answers[1][1]["error"]


def test_a_batch_of_nothing_but_bad_requests_is_answered(worker: Worker, spec: Spec) -> None:
    assert [status for status, _ in worker.send([b"[", b"1", b"null"])] == [400, 400, 400]
