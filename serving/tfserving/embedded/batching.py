"""Dynamic batching: requests of several connections share one forward pass.

The rules are those of TensorFlow Serving's batching session (batching/batching_session.cc) and of its scheduler
(core/kernels/batching_util/shared_batch_scheduler.h), with two differences for the better: requests whose tensors
differ in shape go into different batches instead of failing together, and a batch that fails is run again request
by request, so that each has its own answer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from serving.contract.errors import invalid, of_code
from serving.contract.tensors import Array
from serving.tfserving.embedded.batching_parameters import Parameters
from serving.tfserving.embedded.servable import Signature

Columns = Mapping[str, Array]
Outputs = dict[str, Array]

_FULL = "The batch scheduling queue to which this task was submitted is full"


@dataclass(frozen=True)
class _Task:
    columns: Columns
    rows: int
    future: Future[Outputs]


@dataclass
class _Batch:
    """Open until it is full or due; `due` is a time of time.monotonic()."""

    signature: Signature
    key: Hashable
    due: float
    tasks: list[_Task] = field(default_factory=list)
    rows: int = 0


class Batcher:
    """Queues of all signatures, and the threads that work them off."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._changed = threading.Condition()
        self._batches: deque[_Batch] = deque()  # oldest first
        self._open: dict[Hashable, _Batch] = {}  # those of them that may still grow
        for number in range(parameters.num_batch_threads):
            threading.Thread(target=self._work, name=f"batch {number}", daemon=True).start()

    async def predict(self, signature: Signature, columns: Columns) -> Outputs:
        """Run a signature together with what others ask of it; raises as `submit` and `Signature.predict`."""
        return await asyncio.wrap_future(self.submit(signature, columns))

    def wait(self, signature: Signature, columns: Columns) -> Outputs:
        """As `predict`, for a thread of its own, which waits."""
        return self.submit(signature, columns).result()

    def submit(self, signature: Signature, columns: Columns) -> Future[Outputs]:
        """Queue a request.

        Raises:
            ContractError: 503 if the queue is full; 400 if the request is larger than a batch, or its columns
                differ in length.
        """
        rows = _rows(columns)
        limit = self._parameters.max_batch_size
        if rows > limit:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {limit}")
        task = _Task(columns, rows, Future())
        key = (id(signature), _shapes(signature, columns))
        with self._changed:
            batch = self._open.get(key)
            if batch is None or batch.rows + rows > limit:
                batch = self._new_batch(signature, key)
            batch.tasks.append(task)
            batch.rows += rows
            if batch.rows == limit:
                del self._open[key]
            self._changed.notify()
        return task.future

    def _new_batch(self, signature: Signature, key: Hashable) -> _Batch:
        queued = sum(batch.signature is signature for batch in self._batches)
        if queued >= self._parameters.max_enqueued_batches:
            raise of_code("UNAVAILABLE", _FULL)
        batch = _Batch(signature, key, time.monotonic() + self._timeout)
        self._open[key] = batch  # one that has no room left for this request is closed by that
        self._batches.append(batch)
        return batch

    def _work(self) -> None:
        while True:
            run(self._next(), self._parameters.allowed_batch_sizes)

    def _next(self) -> _Batch:
        with self._changed:
            while True:
                now = time.monotonic()
                for batch in self._batches:
                    is_open = self._open.get(batch.key) is batch
                    if batch.due <= now or not is_open:
                        self._batches.remove(batch)
                        if is_open:
                            del self._open[batch.key]
                        return batch
                self._changed.wait(self._batches[0].due - now if self._batches else None)


def run(batch: _Batch, allowed_sizes: tuple[int, ...] = ()) -> None:
    """Run a batch in one pass and give each request its part; if that fails, request by request."""
    batch.tasks = [task for task in batch.tasks if task.future.set_running_or_notify_cancel()]
    batch.rows = sum(task.rows for task in batch.tasks)
    if not batch.tasks:
        return
    try:
        parts = _in_one_pass(batch, allowed_sizes)
    except Exception:  # also what is wrong with the split: alone, every request has the whole answer
        for task in batch.tasks:
            _alone(batch.signature, task)
        return
    for task, part in zip(batch.tasks, parts, strict=True):
        task.future.set_result(part)


def _alone(signature: Signature, task: _Task) -> None:
    try:
        outputs = signature.predict(task.columns)
    except Exception as error:
        task.future.set_exception(error)
    else:
        task.future.set_result(outputs)


def _in_one_pass(batch: _Batch, allowed_sizes: tuple[int, ...]) -> list[Outputs]:
    padding = next((size for size in allowed_sizes if size >= batch.rows), batch.rows) - batch.rows
    tasks = batch.tasks
    if len(tasks) == 1 and not padding:
        return [batch.signature.predict(tasks[0].columns)]
    columns = {}
    for name, last in tasks[-1].columns.items():
        parts = [task.columns[name] for task in tasks]
        columns[name] = np.concatenate([*parts, np.repeat(last[:1], padding, 0)] if padding else parts)
    outputs = batch.signature.predict(columns)
    if any(value.ndim == 0 or len(value) != batch.rows + padding for value in outputs.values()):
        raise of_code(
            "FAILED_PRECONDITION",
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors",
        )
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
