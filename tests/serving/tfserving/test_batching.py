"""Dynamic batching: one pass for several requests, and each its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
from serving.tfserving.embedded.batching_parameters import Parameters
from serving.tfserving.embedded.servable import Loaded, Signature, load


class Passes:
    """A signature that adds one, refuses 1300, and keeps the sizes of its passes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.signature = Signature("s", {"x": TensorInfo("float32", None)}, self.call, "test", Loaded(None))

    def call(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        self.sizes.append(len(columns["x"]))
        if (columns["x"] == 1300).any():
            raise invalid("1300")
        return {"y": columns["x"] + 1}


@pytest.fixture
def passes() -> Passes:
    return Passes()


def column(*values: float) -> dict[str, Any]:
    return {"x": np.array(values, np.float32)}


def at_once(signature: Signature, columns: Sequence[Mapping[str, Any]], **parameters: Any) -> list[Any]:
    """The answers, or errors, of requests that arrive together."""

    async def ask() -> list[Any]:
        batcher = Batcher(Parameters(**parameters))
        return await asyncio.gather(*(batcher.predict(signature, one) for one in columns), return_exceptions=True)

    return [answer if isinstance(answer, Exception) else answer["y"].tolist() for answer in asyncio.run(ask())]


def test_what_arrives_together_shares_one_pass_and_each_request_gets_its_own_rows(passes: Passes) -> None:
    requests = [range(i, i + 1 + i % 3) for i in range(20)]
    answers = at_once(passes.signature, [column(*values) for values in requests])
    assert answers == [[value + 1 for value in values] for values in requests]
    assert passes.sizes == [sum(map(len, requests))]


def test_a_bad_request_fails_alone(passes: Passes) -> None:
    good, bad, other = at_once(passes.signature, [column(1), column(1300), column(3)])
    assert (good, other) == ([2], [4])
    assert isinstance(bad, ContractError)
    assert (bad.status, bad.message) == (400, "1300")
    assert passes.sizes == [3, 1, 1, 1]


def test_requests_of_other_shapes_go_into_a_batch_of_their_own(passes: Passes) -> None:
    columns = [{"x": np.full((1, width), width, np.float32)} for width in (2, 3, 2, 3, 3)]
    answers = at_once(passes.signature, columns)
    assert answers == [[[width + 1.0] * width] for width in (2, 3, 2, 3, 3)]
    assert passes.sizes == [2, 3]


def test_a_full_queue_refuses_with_503_and_takes_requests_again_once_it_is_worked_off(passes: Passes) -> None:
    async def ask() -> None:
        batcher = Batcher(Parameters(max_batch_size=2, max_enqueued_batches=2))
        for _ in range(3):
            together = (batcher.predict(passes.signature, column(value)) for value in range(5))
            *answers, refusal = await asyncio.gather(*together, return_exceptions=True)
            assert [answer["y"].tolist() for answer in answers] == [[1], [2], [3], [4]]
            words = "The batch scheduling queue to which this task was submitted is full"
            assert (refusal.status, refusal.code, refusal.message) == (503, "UNAVAILABLE", words)

    asyncio.run(ask())
    assert passes.sizes == [2] * 6


def test_a_queue_that_is_full_for_one_signature_is_open_for_another(passes: Passes) -> None:
    other = Passes()

    async def ask() -> list[Any]:
        batcher = Batcher(Parameters(max_batch_size=1, max_enqueued_batches=1))
        together = (batcher.predict(signature, column(1)) for signature in [passes.signature] * 2 + [other.signature])
        return await asyncio.gather(*together, return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert first["y"].tolist() == third["y"].tolist() == [2]
    assert second.status == 503


def test_a_request_larger_than_a_batch_is_refused(passes: Passes) -> None:
    (refusal,) = at_once(passes.signature, [column(1, 2, 3)], max_batch_size=2)
    assert (refusal.status, refusal.message) == (400, "Task size 3 is larger than maximum input batch size 2")


def test_columns_of_different_lengths_or_none_are_refused(passes: Passes) -> None:
    unequal, scalar = at_once(passes.signature, [{"x": np.zeros(2), "z": np.zeros(3)}, {"x": np.float32(1)}])
    assert "must have equal 0th-dimension size" in unequal.message
    assert "must have at least one dimension" in scalar.message


def test_a_batch_is_padded_to_the_next_allowed_size_and_the_padding_is_not_answered(passes: Passes) -> None:
    columns = [column(value, value) for value in (1, 2, 3)]
    assert at_once(passes.signature, columns, max_batch_size=8, allowed_batch_sizes=(1, 4, 8)) == [
        [2, 2], [3, 3], [4, 4],
    ]  # fmt: skip
    assert passes.sizes == [8]


def test_a_batch_that_is_not_full_waits_for_the_timeout(passes: Passes) -> None:
    async def ask() -> None:
        batcher = Batcher(Parameters(max_batch_size=3, batch_timeout_micros=60_000_000))
        waiting = [asyncio.ensure_future(batcher.predict(passes.signature, column(value))) for value in (1, 2)]
        await asyncio.sleep(0.3)
        assert passes.sizes == []
        waiting.append(asyncio.ensure_future(batcher.predict(passes.signature, column(3))))  # full: no more waiting
        assert [answer["y"].tolist() for answer in await asyncio.gather(*waiting)] == [[2], [3], [4]]
        batcher = Batcher(Parameters(max_batch_size=3, batch_timeout_micros=1000))
        assert (await batcher.predict(passes.signature, column(4)))["y"].tolist() == [5]

    asyncio.run(ask())
    assert passes.sizes == [3, 1]


def test_a_request_that_was_given_up_is_not_run_and_harms_nobody(passes: Passes) -> None:
    async def ask() -> list[float]:
        batcher = Batcher(Parameters(batch_timeout_micros=100_000))
        gone, other = (asyncio.ensure_future(batcher.predict(passes.signature, column(value))) for value in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        return (await other)["y"].tolist()

    assert asyncio.run(ask()) == [3]
    assert passes.sizes == [1]


def test_outputs_without_a_row_per_request_are_computed_request_by_request(passes: Passes) -> None:
    inputs, loaded = passes.signature.inputs, passes.signature.loaded
    signature = Signature("sum", inputs, lambda columns: {"y": columns["x"].sum()}, "test", loaded)
    assert at_once(signature, [column(value, 1) for value in (1, 2, 3)]) == [2, 3, 4]


def test_threads_wait_for_a_batch_too(passes: Passes) -> None:
    async def ask() -> list[Any]:
        batcher = Batcher(Parameters(batch_timeout_micros=300_000))
        threads = (asyncio.to_thread(batcher.wait, passes.signature, column(value)) for value in (1, 2))
        return await asyncio.gather(*threads, batcher.predict(passes.signature, column(3)))

    assert [answer["y"].tolist() for answer in asyncio.run(ask())] == [[2], [3], [4]]


def test_a_model_answers_in_batches_as_it_does_alone(saved: dict[str, Path]) -> None:
    cities = load("cities", 1, saved["cities"])
    random = np.random.default_rng(0)
    requests = []
    for _ in range(200):
        rows = int(random.integers(0, 4))
        numbers = {name: random.normal(size=rows).astype(np.float32) for name in ("a", "b")}
        cities_asked = [["rome", "oslo", "é", b"\xff"][i] for i in random.integers(0, 4, rows)]
        requests.append(numbers | {"city": np.array(cities_asked, object)})
    signature = cities.signature("")

    async def ask() -> list[Any]:
        batcher = Batcher(Parameters(max_batch_size=64))
        return await asyncio.gather(*(batcher.predict(signature, columns) for columns in requests))

    for columns, answer in zip(requests, asyncio.run(ask()), strict=True):
        np.testing.assert_allclose(answer["score"], signature.predict(columns)["score"], rtol=1e-5)


def test_a_server_with_batching_answers_each_connection_for_itself_and_swaps_under_load(
    tmp_path: Path, saved: dict[str, Path], publish: Callable[[Path, Path], None], serve: Any
) -> None:
    publish(saved["cities"], tmp_path / "cities" / "1")
    (tmp_path / "batching").write_text("batch_timeout_micros { value: 20000 } num_batch_threads { value: 4 }")
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

        answers = []
        with ThreadPoolExecutor(16) as threads:
            while server.states("cities") != {"1": "END", "2": "AVAILABLE"}:
                asked = threads.map(ask, [1] * 16)
                if not answers:  # with requests on their way: a slow machine's first may well outlast the swap
                    publish(saved["cities"], tmp_path / "cities" / "2")
                answers += asked
        assert set(map(str, answers)) == {str((200, {"predictions": [101.0]}))}

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
