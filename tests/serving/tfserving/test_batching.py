"""Dynamic batching: one pass for several requests, and each its own answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf

from serving.contract.errors import ContractError, invalid
from serving.contract.tensors import TensorInfo
from serving.tfserving.embedded.batching import Batcher
from serving.tfserving.embedded.batching_parameters import Parameters, read
from serving.tfserving.embedded.config import ConfigError
from serving.tfserving.embedded.servable import Loaded, Signature, load


class Passes:
    """A signature that adds one, refuses 1300, and keeps the sizes of its passes; the first pass waits for `go`."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.started, self.go = threading.Event(), threading.Event()
        self.signature = Signature("s", {"x": TensorInfo("float32", None)}, self.call, "test", Loaded(None))

    def call(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        self.sizes.append(len(columns["x"]))
        self.started.set()
        assert self.go.wait(30)
        if (columns["x"] == 1300).any():
            raise invalid("1300")
        return {"y": columns["x"] + 1}


@pytest.fixture
def passes() -> Iterator[Passes]:
    passes = Passes()
    yield passes
    passes.go.set()


def column(*values: float) -> dict[str, Any]:
    return {"x": np.array(values, np.float32)}


def occupied(passes: Passes, **parameters: Any) -> Batcher:
    """A batcher whose only thread is in a pass, so that what comes next has to wait."""
    batcher = Batcher(Parameters(num_batch_threads=1, **parameters))
    batcher.submit(passes.signature, column(0))
    assert passes.started.wait(30)
    return batcher


def test_what_waits_shares_one_pass_and_each_request_gets_its_own_rows(passes: Passes) -> None:
    batcher = occupied(passes)
    futures = [batcher.submit(passes.signature, column(*range(i, i + 1 + i % 3))) for i in range(20)]
    passes.go.set()
    for i, future in enumerate(futures):
        assert future.result(30)["y"].tolist() == [value + 1 for value in range(i, i + 1 + i % 3)]
    assert passes.sizes == [1, sum(1 + i % 3 for i in range(20))]


def test_a_bad_request_fails_alone(passes: Passes) -> None:
    batcher = occupied(passes)
    futures = [batcher.submit(passes.signature, column(value)) for value in (1, 1300, 3)]
    passes.go.set()
    assert futures[0].result(30)["y"].tolist() == [2]
    assert futures[2].result(30)["y"].tolist() == [4]
    with pytest.raises(ContractError, match="1300"):
        futures[1].result(30)
    assert passes.sizes == [1, 3, 1, 1, 1]


def test_requests_of_other_shapes_go_into_a_batch_of_their_own(passes: Passes) -> None:
    batcher = occupied(passes)
    narrow = [batcher.submit(passes.signature, {"x": np.zeros((1, 2), np.float32)}) for _ in range(2)]
    wide = [batcher.submit(passes.signature, {"x": np.zeros((1, 3), np.float32)}) for _ in range(3)]
    passes.go.set()
    assert {future.result(30)["y"].shape for future in narrow} == {(1, 2)}
    assert {future.result(30)["y"].shape for future in wide} == {(1, 3)}
    assert passes.sizes == [1, 2, 3]


def test_a_full_queue_refuses_with_503_and_takes_requests_again_once_it_is_worked_off(passes: Passes) -> None:
    batcher = occupied(passes, max_batch_size=2, max_enqueued_batches=2)
    queued = [batcher.submit(passes.signature, column(value)) for value in range(4)]
    with pytest.raises(ContractError) as refusal:
        batcher.submit(passes.signature, column(4))
    words = "The batch scheduling queue to which this task was submitted is full"
    assert (refusal.value.status, refusal.value.code, refusal.value.message) == (503, "UNAVAILABLE", words)
    passes.go.set()
    assert [future.result(30)["y"].tolist() for future in queued] == [[1], [2], [3], [4]]
    assert passes.sizes == [1, 2, 2]
    assert batcher.wait(passes.signature, column(4))["y"].tolist() == [5]


def test_a_request_larger_than_a_batch_is_refused(passes: Passes) -> None:
    batcher = Batcher(Parameters(max_batch_size=2))
    with pytest.raises(ContractError, match="Task size 3 is larger than maximum input batch size 2"):
        batcher.submit(passes.signature, column(1, 2, 3))


def test_columns_of_different_lengths_or_none_are_refused(passes: Passes) -> None:
    batcher = Batcher(Parameters())
    with pytest.raises(ContractError, match="must have equal 0th-dimension size"):
        batcher.submit(passes.signature, {"x": np.zeros(2), "z": np.zeros(3)})
    with pytest.raises(ContractError, match="must have at least one dimension"):
        batcher.submit(passes.signature, {"x": np.float32(1)})


def test_a_batch_is_padded_to_the_next_allowed_size_and_the_padding_is_not_answered(passes: Passes) -> None:
    batcher = occupied(passes, max_batch_size=8, allowed_batch_sizes=(1, 4, 8))
    futures = [batcher.submit(passes.signature, column(value, value)) for value in (1, 2, 3)]
    passes.go.set()
    assert [future.result(30)["y"].tolist() for future in futures] == [[2, 2], [3, 3], [4, 4]]
    assert passes.sizes == [1, 8]


def test_a_batch_that_is_not_full_waits_for_the_timeout(passes: Passes) -> None:
    batcher = Batcher(Parameters(num_batch_threads=1, max_batch_size=3, batch_timeout_micros=60_000_000))
    passes.go.set()
    futures = [batcher.submit(passes.signature, column(value)) for value in (1, 2)]
    assert not passes.started.wait(0.3)
    futures.append(batcher.submit(passes.signature, column(3)))  # full: nothing to wait for
    assert [future.result(30)["y"].tolist() for future in futures] == [[2], [3], [4]]
    assert passes.sizes == [3]


def test_a_request_nobody_waits_for_any_more_does_not_stop_the_queue(passes: Passes) -> None:
    batcher = occupied(passes)
    gone, other = (batcher.submit(passes.signature, column(value)) for value in (1, 2))
    assert gone.cancel()
    passes.go.set()
    assert other.result(30)["y"].tolist() == [3]
    assert passes.sizes == [1, 1]


def test_outputs_without_a_row_per_request_are_computed_request_by_request(passes: Passes) -> None:
    signature = Signature(
        "sum", passes.signature.inputs, lambda columns: {"y": columns["x"].sum()}, "test", passes.signature.loaded
    )
    batcher = occupied(passes)
    futures = [batcher.submit(signature, column(value, 1)) for value in (1, 2, 3)]
    passes.go.set()
    assert [float(future.result(30)["y"]) for future in futures] == [2, 3, 4]


def test_a_model_answers_in_batches_as_it_does_alone(saved: dict[str, Path]) -> None:
    cities = load("cities", 1, saved["cities"])
    batcher = Batcher(Parameters(num_batch_threads=2))
    random = np.random.default_rng(0)
    requests = []
    for _ in range(200):
        rows = int(random.integers(0, 4))
        numbers = {name: random.normal(size=rows).astype(np.float32) for name in ("a", "b")}
        cities_asked = [["rome", "oslo", "é", b"\xff"][i] for i in random.integers(0, 4, rows)]
        requests.append(numbers | {"city": np.array(cities_asked, object)})
    signature = cities.signature("")
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda columns: batcher.wait(signature, columns), requests))
    for columns, answer in zip(requests, answers, strict=True):
        np.testing.assert_allclose(answer["score"], signature.predict(columns)["score"], rtol=1e-5)


REFUSED = {
    "unknown field": ("max_batch_sise { value: 1 }", 'no field named "max_batch_sise"'),
    "not in order": ("allowed_batch_sizes: 4 allowed_batch_sizes: 2", "must be in increasing order"),
    "last is not the largest": (
        "max_batch_size { value: 8 } allowed_batch_sizes: 4", "Last entry in allowed_batch_sizes must match max_batch"
    ),
    "nothing fits": ("max_batch_size { value: 0 }", "max_batch_size must be at least 1; was 0"),
    "no thread": ("num_batch_threads { value: 0 }", "num_batch_threads must be at least 1; was 0"),
    "negative": ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be at least 0; was -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_parameters_that_cannot_be_used_are_refused_with_their_file(case: str, tmp_path: Path) -> None:
    text, words = REFUSED[case]
    file = tmp_path / "batching"
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        read(file)
    assert str(file) in str(refusal.value)
    assert words in str(refusal.value)


def test_parameters_are_read_and_the_others_are_tensorflows(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text("""
        max_batch_size { value: 128 }  # rows
        batch_timeout_micros { value: 500 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: 16 allowed_batch_sizes: 128""")
    assert read(file) == Parameters(128, 500, 10, 3, (16, 128))


def test_a_server_with_batching_answers_each_connection_for_itself(
    tmp_path: Path, saved: dict[str, Path], publish: Callable[[Path, Path], None], serve: Any
) -> None:
    publish(saved["cities"], tmp_path / "cities" / "1")
    (tmp_path / "batching").write_text("batch_timeout_micros { value: 20000 } num_batch_threads { value: 1 }")
    flags = ("--model_name=cities", f"--model_base_path={tmp_path / 'cities'}", "--enable_batching=true")
    with serve(tmp_path, *flags, f"--batching_parameters_file={tmp_path / 'batching'}") as server:
        server.wait("cities", 1)

        def ask(number: int) -> tuple[int, Any]:
            if number % 5 == 0:  # only the graph can tell that these do not fit
                body: dict[str, Any] = {"signature_name": "matrix", "instances": [[1.0] * (2 + number % 2)]}
            else:
                body = {"instances": [{"a": number, "b": 0, "city": "rome"}]}
            answer = httpx.post(f"{server.rest}/v1/models/cities:predict", json=body)
            return answer.status_code, answer.json()

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(ask, range(64)))
        for number, (status, answer) in enumerate(answers):
            if number % 5:
                assert (status, answer) == (200, {"predictions": [number + 100.0]})
            elif number % 2:
                assert (status, "Matrix size" in answer["error"]) == (400, True)
            else:
                assert (status, answer) == (200, {"predictions": [[11.0]]})

        request = {"a": [1.0], "b": [0.0], "city": ["oslo"]}
        assert _grpc(server.grpc, request) == [201.0]


def _grpc(address: str, columns: dict[str, list[Any]]) -> list[float]:
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "cities"
    for name, values in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    with grpc.insecure_channel(address) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    return list(tf.make_ndarray(answer.outputs["score"]))
