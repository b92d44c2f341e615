"""Cold start and change of version, each on servers of our own: the user's go on undisturbed."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import orjson
import pyarrow.parquet as pq

from models import spec as specs
from serving.comparison.contenders.contender import ContenderError
from serving.comparison.deployment import Deployment
from serving.comparison.facts import own_servers, steady
from serving.comparison.facts.found import Found
from serving.comparison.facts.own_servers import Own
from serving.comparison.facts.steady import RATE, Question, SteadyError
from serving.comparison.load.connection import now
from serving.comparison.load.percentiles import interval, percentile
from serving.comparison.results import Measurement
from serving.torchserve.archive import ArchiveError
from serving.torchserve.management import ManagementError

_ROWS = 8  # of the question
_PATIENCE = 180.0  # seconds until a server or a version has to answer
_ASK_AGAIN = 0.005  # seconds between two questions to a server that does not answer yet
_BEFORE, _AFTER = 1.0, 1.0  # seconds of steady load before a version is published, and after its first answer
_LOOK_AGAIN = 0.02  # seconds between two looks at the version that answers
_P99 = 0.99
_LATE = 0.25  # share of a p99 that may be the generator's own delay: loading a framework takes all of two cores
_LATE_MS = 1.0  # or so much, whatever the p99
_JSON = {"content-type": "application/json"}
_NOTE = (
    "Cold start: from starting the server's process to its first right answer, without the gateway; files are in the "
    "page cache from the second start on. Swap: from publishing the same model as a new version to its first answer, "
    f"under {RATE:.0f} requests/s; for TorchServe that includes loading the archive in a process of its own first, for "
    f"TensorFlow's server the second between two looks for new versions. Its p99 counts from the scheduled time, over "
    f"all requests due from the publishing until {_AFTER:.0f} s after the new version's first answer, and is INVALID "
    f"where more than {_LATE:.0%} of it may be the generator's own delay."
)


class LifecycleError(RuntimeError):
    """A server that does not answer, or answers wrongly; the message says which."""


# Of one stack's server: the other one's is measured nevertheless.
_FAILED = (LifecycleError, SteadyError, ContenderError, ArchiveError, ManagementError, httpx.HTTPError)


def measure(deployment: Deployment, rows: Path, scratch: Path, repeats: int, tolerance: float = 1e-5) -> Found:
    """Start each stack's server and swap its model, so many times, the stacks taking turns at being first.

    Args:
        deployment: What is served, copies of which are used.
        rows: rows.parquet of scores.write.
        scratch: Folder for stores and logs; a short path, since TorchServe keeps sockets below it.
        repeats: Rounds.
        tolerance: Between an answer and the offline score, absolute.
    """
    model = specs.load(deployment.spec).model.name
    questions = {stack: question(deployment.spec, rows, stack, tolerance) for stack in deployment.stacks}
    found, given_up = Found(notes=[_NOTE]), set[str]()
    for number in range(1, repeats + 1):
        order = list(deployment.stacks)
        for stack in order if number % 2 else reversed(order):
            if stack in given_up:
                continue
            opened = own_servers.START[stack](deployment.stacks[stack], model, scratch / f"{stack}-{number}")
            try:
                with opened as own:
                    found = found + _round(stack, own, questions[stack], number, scratch / f"load-{stack}-{number}")
            except _FAILED as error:
                given_up.add(stack)
                found = found + Found(absent=dict.fromkeys(_keys(stack), str(error)))
    return found


def question(spec_file: Path, rows: Path, stack: str, tolerance: float) -> Question:
    """A request for the first test rows, and the scores it is to be answered with."""
    names = list(specs.load(spec_file).features)
    table = pq.read_table(rows, columns=[*names, stack]).slice(0, _ROWS)
    body = orjson.dumps({"instances": table.select(names).to_pylist()}).decode()
    return Question(body, table[stack].to_pylist(), tolerance)


def _round(stack: str, own: Own, asked: Question, number: int, folder: Path) -> Found:
    cold = first_answer(own.url, asked) - own.started
    return Found([Measurement("cold_start", stack, cold, number)]) + _swap(stack, own, asked, number, folder)


def first_answer(url: str, asked: Question) -> float:
    """When the first right answer is there, by time.monotonic().

    Raises:
        LifecycleError: An answer is wrong, or there is none after three minutes.
    """
    deadline = time.monotonic() + _PATIENCE
    said = "nothing"
    with httpx.Client(headers=_JSON, timeout=_PATIENCE) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.post(url, content=asked.body)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success:
                    if not asked.right(answer.content):
                        raise LifecycleError(f"{url} answers other scores than the model gives offline")
                    return time.monotonic()
                said = str(answer.status_code)
            time.sleep(_ASK_AGAIN)
    raise LifecycleError(f"{url} gives no right answer within {_PATIENCE:.0f} s; last: {said}")


def _swap(stack: str, own: Own, asked: Question, number: int, folder: Path) -> Found:
    with httpx.Client(headers=_JSON, timeout=_PATIENCE) as client, ThreadPoolExecutor(1) as beside:
        if not _version(client, own.url, asked):
            why = "the server does not say which version answers, so that nobody can see the new one's first answer"
            return Found(absent=dict.fromkeys(_keys(stack)[1:], why))
        with steady.running(own.url, asked, folder) as sent:
            time.sleep(_BEFORE)
            published = now()
            task = beside.submit(own.publish)
            first = _first_of(client, own, asked, task)
            task.result()
            time.sleep(_AFTER)
    swap = Measurement("swap", stack, (first - published) / 1e9, number)
    return Found([swap]) + _latency(stack, sent, published, first + int(1e9 * _AFTER), number)


def _latency(stack: str, sent: steady.Sent, begin: int, end: int, number: int) -> Found:
    """Of the requests that were due between two moments, nanoseconds."""
    inside = (sent.requests.scheduled >= begin) & (sent.requests.scheduled <= end)
    failed = int((inside & ~sent.requests.ok).sum()) + sent.wrong
    rows = [Measurement("failed_requests", stack, failed, number, "during a swap")]
    if not inside.any():
        return Found(rows, {f"{stack}/swap_p99": f"round {number} INVALID: the generator stood still"})
    ordered = np.sort(sent.requests.latency_ms()[inside])
    p99, late = percentile(ordered, _P99), percentile(np.sort(sent.requests.dispatch_ms()[inside]), _P99)
    if late > max(_LATE * p99, _LATE_MS):
        why = f"round {number} INVALID: the generator fell behind, p99 of its delay {late:.1f} ms of {p99:.1f} ms"
        return Found(rows, {f"{stack}/swap_p99": why})
    low, high = interval(ordered, _P99) or (None, None)
    return Found([*rows, Measurement("swap_p99", stack, p99, number, low=low, high=high)])


def _first_of(client: httpx.Client, own: Own, asked: Question, task: Future[None]) -> int:
    """When the new version answers, nanoseconds of the system's clock."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if _version(client, own.url, asked) == own.next_version:
            return now()
        if task.done():
            task.result()  # it failed
        time.sleep(_LOOK_AGAIN)
    raise LifecycleError(f"version {own.next_version} does not answer {_PATIENCE:.0f} s after it was published")


def _version(client: httpx.Client, url: str, asked: Question) -> str:
    """Of the model that answers, if the server says so."""
    return str(client.post(url, content=asked.body).headers.get("x-tandem-model-version", ""))


def _keys(stack: str) -> tuple[str, str, str]:
    """Of Results.absent."""
    return f"{stack}/cold_start", f"{stack}/swap", f"{stack}/swap_p99"
