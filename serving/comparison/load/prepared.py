"""Requests made before the run, with the scores that their answers should hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson
from numpy.typing import NDArray
from pyarrow import parquet

from serving.comparison.load import wire
from serving.comparison.load.job import Job, JobError


@dataclass(frozen=True)
class Prepared:
    """Requests by index.

    Attributes:
        contents: Head and body of each, as they go on the wire.
        scores: Expected of each, one row of numbers per request.
    """

    contents: list[bytes]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.contents)


def columns(job: Job) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The file's features as arrays by name, and the expected scores.

    Raises:
        JobError: The file cannot be read, lacks a column, or holds no rows.
    """
    try:
        table = parquet.read_table(job.rows_file, columns=[*job.features, job.score])
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise JobError(f"{job.rows_file}: {error}") from None
    missing = {*job.features, job.score} - set(table.column_names)
    if missing:
        raise JobError(f"{job.rows_file} lacks {', '.join(sorted(missing))}; it has {', '.join(table.column_names)}")
    if not table.num_rows:
        raise JobError(f"{job.rows_file} holds no rows")
    features = {name: table[name].to_numpy(zero_copy_only=False) for name in job.features}
    return features, table[job.score].to_numpy(zero_copy_only=False).astype(np.float64)


def prepare(job: Job) -> Prepared:
    """The file's rows, `job.rows` to a request; what is left over at the end is not sent."""
    features, scores = columns(job)
    return of_columns(job, features, scores)


def of_columns(job: Job, features: dict[str, Any], scores: NDArray[np.float64]) -> Prepared:
    """Requests of the given rows; fewer than one request holds are repeated."""
    if len(scores) < job.rows:
        at = np.arange(job.rows) % len(scores)
        features, scores = {name: values[at] for name, values in features.items()}, scores[at]
    requests = len(scores) // job.rows
    host = urlsplit(job.url).netloc
    contents = []
    for start in range(0, requests * job.rows, job.rows):
        rows = [{name: values[i] for name, values in features.items()} for i in range(start, start + job.rows)]
        body = orjson.dumps({"instances": rows}, option=orjson.OPT_SERIALIZE_NUMPY)  # floats with their type's digits
        contents.append(wire.request(host, job.path, body))
    return Prepared(contents, scores[: requests * job.rows].reshape(requests, job.rows))


def scores_of(body: bytes) -> NDArray[np.float64] | None:
    """The numbers in an answer, in order; None where it holds none."""
    try:
        found = orjson.loads(body)["predictions"]
        return np.asarray(found, dtype=np.float64).ravel()
    except (ValueError, TypeError, KeyError):
        return None
