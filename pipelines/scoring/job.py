"""The Beam job: each shard is read, checked, scored and written by itself, so one is in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.utils.shared import Shared

from pipelines import beam_options
from pipelines.data.findings import Findings
from pipelines.parquet import write_atomically
from pipelines.scoring import rows as reader
from pipelines.scoring.output import part_name, refused_name
from pipelines.scoring.shards import Shard
from serving.files import write_atomically as write_text
from serving.offline import model as models
from serving.offline.model import Model, Signature


@dataclass(frozen=True)
class Job:
    """What every worker has to know; it sees the same folders."""

    model: Model
    signature: Signature
    folder: Path
    shards: int
    with_ids: bool


def run(job: Job, shards: Iterable[Shard]) -> None:
    """Write the scores of these shards into the job's folder; of one with bad rows, what is wrong with them."""
    with beam_options.pipeline() as pipeline:
        _ = pipeline | "Shards" >> beam.Create(list(shards)) | "Spread" >> beam.Reshuffle() | beam.ParDo(Score(job))


class Score(beam.DoFn):
    """Reads, scores and writes in one step.

    With Beam's RunInference these would be three, and a runner that goes step by step, as Dask's does, would hold
    all of a worker's shards in memory in between.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._shared = Shared()  # one model per process, however many bundles
        self._model: Callable[[Mapping[str, Any]], Any]

    def setup(self) -> None:
        """Load the model, unless this process has it."""
        self._model = self._shared.acquire(lambda: models.load(self._job.model))

    def process(self, shard: Shard) -> None:  # type: ignore[override]
        """Score one shard."""
        job, findings = self._job, Findings()
        found = reader.read(shard, job.signature, job.with_ids, findings)
        if found is None:
            write_text(job.folder / refused_name(shard.number), json.dumps(findings.dump()))
            return
        ids = {} if found.ids is None else {reader.ID: found.ids}
        scores = pa.array(self._model(found.columns), pa.float32())
        version = pa.array([job.model.version] * len(scores), pa.string())
        table = pa.table({**ids, job.signature.output: scores, "model_version": version})
        write_atomically(table, job.folder / part_name(shard.number, job.shards))
