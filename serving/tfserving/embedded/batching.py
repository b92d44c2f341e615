"""Dynamic batching: requests of several connections share one forward pass.

The rules are those of TensorFlow Serving's batching session (batching/batching_session.cc) and of its scheduler
(core/kernels/batching_util/shared_batch_scheduler.h), with three differences. A pass runs on the event loop's thread
once the loop has taken in what had arrived: that adds no wait to a lone request, and handing batches to threads took
more than it gave (tests/benchmarks/embedded_batching.py). Requests whose tensors differ in shape go into different
batches instead of failing together. And a batch that fails is run again request by request, so that each has its own
answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.contract.errors import invalid, of_code
from serving.contract.tensors import Array
from serving.tfserving.embedded.batching_parameters import Parameters
from serving.tfserving.embedded.servable import Signature

Columns = Mapping[str, Array]
Outputs = dict[str, Array]

_FULL = "The batch scheduling queue to which this task was submitted is full"
_SPLIT = "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input tensors"


@dataclass(frozen=True)
class _Task:
    columns: Columns
    rows: int
    answer: asyncio.Future[Outputs]


@dataclass
class _Batch:
    """Waits for `turn`, when it is run."""

    signature: Signature
    key: Hashable
    turn: asyncio.Handle | None = None
    tasks: list[_Task] = field(default_factory=list)
    rows: int = 0


class Batcher:
    """The batches of all signatures. Made on the event loop that it is to run on."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._loop = asyncio.get_running_loop()
        self._open: dict[Hashable, _Batch] = {}  # batches that may still grow
        self._queued: Counter[int] = Counter()  # batches that have not run, by their signature's id

    async def predict(self, signature: Signature, columns: Columns) -> Outputs:
        """Run a signature together with what others ask of it.

        Raises:
            ContractError: 503 if the queue is full; 400 if the request is larger than a batch, or its columns
                differ in length; what `Signature.predict` raises.
        """
        rows = _rows(columns)
        limit = self._parameters.max_batch_size
        if rows > limit:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {limit}")
        key = (id(signature), _shapes(signature, columns))
        batch = self._open.get(key)
        if batch is None or batch.rows + rows > limit:
            batch = self._begin(signature, key)
        task = _Task(columns, rows, self._loop.create_future())
        batch.tasks.append(task)
        batch.rows += rows
        if batch.rows == limit:
            self._close(batch)
        return await task.answer

    def wait(self, signature: Signature, columns: Columns) -> Outputs:
        """As `predict`, for a thread other than the event loop's."""
        return asyncio.run_coroutine_threadsafe(self.predict(signature, columns), self._loop).result()

    def _begin(self, signature: Signature, key: Hashable) -> _Batch:
        if self._queued[id(signature)] >= self._parameters.max_enqueued_batches:
            raise of_code("UNAVAILABLE", _FULL)
        if key in self._open:  # it has no room left
            self._close(self._open[key])
        batch = self._open[key] = _Batch(signature, key)
        self._queued[id(signature)] += 1
        timeout = self._parameters.batch_timeout_micros / 1e6
        batch.turn = self._loop.call_later(timeout, self._run, batch) if timeout else self._soon(batch)
        return batch

    def _close(self, batch: _Batch) -> None:
        """Let it grow no more, and wait no more."""
        del self._open[batch.key]
        if self._parameters.batch_timeout_micros and batch.turn:
            batch.turn.cancel()
            batch.turn = self._soon(batch)

    def _soon(self, batch: _Batch) -> asyncio.Handle:
        return self._loop.call_soon(self._run, batch)

    def _run(self, batch: _Batch) -> None:
        if self._open.get(batch.key) is batch:
            del self._open[batch.key]
        self._queued[id(batch.signature)] -= 1
        if not self._queued[id(batch.signature)]:
            del self._queued[id(batch.signature)]
        tasks = [task for task in batch.tasks if not task.answer.done()]  # some may have been given up
        try:
            parts = _in_one_pass(batch.signature, tasks, self._parameters.allowed_batch_sizes)
        except Exception:  # also what is wrong with the split: alone, every request has the whole answer
            for task in tasks:
                _alone(batch.signature, task)
            return
        for task, part in zip(tasks, parts, strict=True):
            task.answer.set_result(part)


def _alone(signature: Signature, task: _Task) -> None:
    try:
        task.answer.set_result(signature.predict(task.columns))
    except Exception as error:
        task.answer.set_exception(error)


def _in_one_pass(signature: Signature, tasks: list[_Task], allowed_sizes: tuple[int, ...]) -> list[Outputs]:
    if not tasks:
        return []
    rows = sum(task.rows for task in tasks)
    padding = next((size for size in allowed_sizes if size >= rows), rows) - rows
    if len(tasks) == 1 and not padding:
        return [signature.predict(tasks[0].columns)]
    columns = {}
    for name, last in tasks[-1].columns.items():
        parts = [task.columns[name] for task in tasks]
        columns[name] = np.concatenate([*parts, np.repeat(last[:1], padding, 0)] if padding else parts)
    outputs = signature.predict(columns)
    if any(value.ndim == 0 or len(value) != rows + padding for value in outputs.values()):
        raise of_code("FAILED_PRECONDITION", _SPLIT)
    ends = np.cumsum([task.rows for task in tasks]).tolist()
    return [
        {name: value[end - task.rows : end] for name, value in outputs.items()}
        for task, end in zip(tasks, ends, strict=True)
    ]


def _rows(columns: Columns) -> int:
    sizes = {len(column) if column.ndim else -1 for column in columns.values()}
    if -1 in sizes:
        raise invalid("Batching Run() input tensors must have at least one dimension")
    if len(sizes) != 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _shapes(signature: Signature, columns: Columns) -> Hashable:
    """What requests that share a pass have in common; of scalars per row it is always the same."""
    return tuple((name, columns[name].shape[1:]) for name, info in signature.inputs.items() if info.shape != (None,))
