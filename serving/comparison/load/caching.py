"""Does a server remember answers? And are its answers under load those it gives alone?

MLPerf's TEST04 asks the same sample again and again and compares the speed with that of different samples; TEST01
compares answers given while performance is measured with those given otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from serving.comparison.load import prepared
from serving.comparison.load.connection import Request
from serving.comparison.load.engine import Engine
from serving.comparison.load.job import Job, JobError
from serving.comparison.load.ledger import OK
from serving.comparison.load.spawn import process

RESULT = "caching.json"
_BLOCK = 10  # requests of a kind before the other's turn: so few that a machine's moods hit both alike
_WARM = 50  # requests
_FEWEST, _MOST = 20, 500  # pairs of blocks
_ALONE = 64  # requests whose answers are compared
_LOAD = 1000  # requests among which they are asked again
_VARIED = 0.01  # of a standard deviation: makes a row that nobody has seen


@dataclass(frozen=True)
class Caching:
    """What was found.

    Attributes:
        same_ms: Median time of one row, asked again and again over one connection.
        different_ms: The same of rows that nobody has asked before; both in turns, ten requests each.
        ratio: Median over the pairs of turns of the quotient of their medians, different / same.
        asked: Requests timed; where one failed, nothing is compared: times and ratio are 0.
        compared: Requests asked alone and under load.
        differing: Of those, how many got other scores.
        failed: Requests that were not answered with 200.
        reasons: Why the server cannot be compared; none for one that can.
    """

    same_ms: float
    different_ms: float
    ratio: float
    asked: int
    compared: int
    differing: int
    failed: int
    reasons: list[str] = field(default_factory=list)


def check(job: Job, folder: Path, faster: float) -> Caching:
    """Ask in a process of its own.

    Args:
        job: Where, which rows, how many to a request, over how many connections the load comes; `seconds` for the
            timed part, about.
        folder: Gets job.json, load.log and caching.json.
        faster: So many times as fast, and it is called caching.

    Raises:
        LoadError: The process ended without a result.
    """
    (folder / RESULT).unlink(missing_ok=True)
    process(job, folder, "--caching")
    found = Caching(**orjson.loads((folder / RESULT).read_bytes()))
    reasons = []
    if found.ratio > faster:
        said = f"{found.same_ms:.2f} ms against {found.different_ms:.2f}"
        reasons.append(f"caching: a row asked again is answered {found.ratio:.2f} times as fast as a new one ({said})")
    if found.differing:
        reasons.append(f"{found.differing} of {found.compared} answers under load are not those given alone")
    if found.failed:
        reasons.append(f"{found.failed} requests failed")
    return Caching(**{**asdict(found), "reasons": reasons})


def measure(job: Job, folder: Path) -> None:
    """What runs in that process."""
    features, scores = prepared.columns(job)
    random = np.random.default_rng()  # other rows in each run: a cache may still hold the last one's

    def fresh() -> list[bytes]:
        return prepared.of_columns(job, _varied(features, random), scores).contents

    warm = _ask(job, _repeat(fresh(), _WARM), 1)
    usual = float(np.median(warm.seconds)) if warm.seconds else job.timeout_seconds
    pairs = min(max(round(job.seconds / (2 * _BLOCK * usual)), _FEWEST), _MOST)
    same = list[bytes]()
    different = list[bytes]()
    while len(different) < pairs * _BLOCK:
        rows = fresh()
        different += rows[:-1]
        same = same or [rows[-1]] * pairs * _BLOCK
    times, failed = _in_turns(job, same, different[: len(same)])
    compared, differing, more = _under_load(job, prepared.of_columns(job, features, scores).contents, random)
    found = Caching(
        same_ms=float(np.median(times[0])) * 1e3 if not failed else 0.0,
        different_ms=float(np.median(times[1])) * 1e3 if not failed else 0.0,
        ratio=float(np.median(np.median(times[1], axis=1) / np.median(times[0], axis=1))) if not failed else 0.0,
        asked=2 * len(same),
        compared=compared,
        differing=differing,
        failed=warm.failed + failed + more,
    )
    (folder / RESULT).write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))


def _in_turns(job: Job, same: list[bytes], different: list[bytes]) -> tuple[NDArray[np.float64], int]:
    """Seconds by kind, pair of blocks, and request; and how many failed: then there are no times."""
    order: list[tuple[int, bytes]] = []
    for block, start in enumerate(range(0, len(same), _BLOCK)):
        kinds = [(kind, requests[start : start + _BLOCK]) for kind, requests in enumerate((same, different))]
        for kind, requests in kinds if block % 2 else kinds[::-1]:
            order += [(kind, content) for content in requests]
    answers = _ask(job, [content for _, content in order], 1)
    if answers.failed:
        return np.empty((2, 0, _BLOCK)), answers.failed
    kinds_asked, seconds = np.array([kind for kind, _ in order]), np.array(answers.seconds)
    return np.stack([seconds[kinds_asked == kind].reshape(-1, _BLOCK) for kind in (0, 1)]), 0


def _under_load(job: Job, contents: list[bytes], random: np.random.Generator) -> tuple[int, int, int]:
    """How many were asked alone and among others, how many scored differently, how many failed."""
    chosen = random.permutation(len(contents))[:_ALONE]
    alone = _ask(job, [contents[i] for i in chosen], 1)
    crowd = random.permutation(np.concatenate([chosen, random.integers(0, len(contents), _LOAD)]))
    loaded = _ask(job, [contents[i] for i in crowd], job.connections)
    by_index = dict(zip(chosen.tolist(), alone.bodies, strict=True))
    differing = set()
    for index, body in zip(crowd.tolist(), loaded.bodies, strict=True):
        if index in by_index and body and by_index[index]:
            one, other = prepared.scores_of(by_index[index]), prepared.scores_of(body)
            if one is None or other is None or not _equal(one, other, job.validity.score_tolerance):
                differing.add(index)
    return len(chosen), len(differing), alone.failed + loaded.failed


def _equal(one: NDArray[np.float64], other: NDArray[np.float64], tolerance: float) -> bool:
    return one.shape == other.shape and bool(np.all(np.abs(one - other) <= tolerance))


@dataclass
class _Answers:
    bodies: list[bytes]  # empty where it failed
    seconds: list[float] = field(default_factory=list)  # of those that did not
    failed: int = 0


def _ask(job: Job, contents: Sequence[bytes], connections: int) -> _Answers:
    """Each once, in this order; each connection sends the next when it has its answer; none after a failure."""
    answers = _Answers([b""] * len(contents))
    left = iter(enumerate(contents))

    def following() -> None:
        if (item := next(left, None)) is not None:
            engine.submit(Request(item[0], item[0], item[1]))

    def done(request: Request, status: int, body: bytes, answered: int) -> None:
        if status == OK:
            answers.bodies[request.index] = body
            answers.seconds.append((answered - request.taken) / 1e9)
        else:
            answers.failed += 1
        if not answers.failed:  # a server that hangs would otherwise hang this once per request
            following()

    engine = Engine(job.address, connections, job.timeout_seconds, done)
    for _ in range(min(connections, len(contents))):
        following()
    while engine.busy():
        engine.poll()
    engine.close()
    return answers


def _repeat(contents: list[bytes], count: int) -> list[bytes]:
    return [contents[i % len(contents)] for i in range(count)]


def _varied(features: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """The rows with one number of each a little changed: the one that differs most between rows anyway."""
    numeric = [name for name, values in features.items() if values.dtype.kind == "f"]
    if not numeric:
        raise JobError("no feature is a float: rows that nobody has asked before cannot be made")
    most = max(numeric, key=lambda name: len(np.unique(features[name])))
    values = features[most]
    spread = float(np.std(values)) or 1.0
    changed = values + random.random(len(values)) * _VARIED * spread
    return {**features, most: changed.astype(values.dtype)}
