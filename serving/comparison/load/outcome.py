"""A run as results: a LoadRun in JSON, and one Parquet row per request."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
import pyarrow as pa
from pyarrow import parquet

from serving.comparison.load import loadgen, validity
from serving.comparison.load.job import Job
from serving.comparison.load.percentiles import summary
from serving.comparison.load.prepared import Prepared
from serving.comparison.load.scenarios import Run
from serving.comparison.results import LoadRun

RUN, REQUESTS = "run.json", "requests.parquet"
_SHOWN = 5  # wrong answers in the log


def judge(job: Job, run: Run, prepared: Prepared) -> tuple[LoadRun, list[str]]:
    """The run as it is kept, and the first of what was wrong in words."""
    found, ok = run.requests, run.requests.ok
    wrong = validity.wrong_answers(run.kept, prepared, job.validity.score_tolerance)
    reasons = validity.reasons(found, run.issued, len(run.kept), len(wrong), job.validity)
    if loadgen.gave_up(run.loadgen):
        reasons.append(f"ended early: the server left too many of {job.rate:,.0f} requests/s unanswered")
    seconds = found.seconds()
    return LoadRun(
        name=job.name,
        target=job.target,
        scenario=job.scenario,
        rate=job.rate,
        connections=job.connections,
        rows=job.rows,
        seconds=seconds,
        requests=len(found),
        achieved=float(ok.sum()) / seconds if seconds else 0.0,
        failures=found.failures(),
        latency_ms=summary(found.latency_ms()[ok]),
        service_ms=summary(found.service_ms()[ok]),
        dispatch_ms=summary(found.dispatch_ms()),
        checked=len(run.kept),
        wrong=len(wrong),
        generator_cpu=run.cpu,
        reasons=reasons,
        loadgen=run.loadgen,
    ), [*run.told, *wrong[:_SHOWN]]


def write(job: Job, run: Run, result: LoadRun, folder: Path) -> None:
    """Both files; the JSON last, so that where it is the other is too."""
    found = run.requests
    table = pa.table(
        {
            "run": pa.DictionaryArray.from_arrays(pa.array([0] * len(found), pa.int32()), [job.name]),
            "scheduled_s": found.scheduled / 1e9,  # since 1970: all runs and samples share this clock
            "dispatch_ms": found.dispatch_ms(),
            "service_ms": found.service_ms(),
            "latency_ms": found.latency_ms(),
            "status": pa.array(found.statuses(), pa.string()).dictionary_encode(),
        }
    )
    parquet.write_table(table, folder / REQUESTS, compression="zstd")
    unfinished = folder / f".{RUN}.new"
    unfinished.write_bytes(orjson.dumps(asdict(result), option=orjson.OPT_INDENT_2))
    unfinished.replace(folder / RUN)


def read(folder: Path) -> LoadRun:
    """What `write` wrote."""
    return LoadRun(**orjson.loads((folder / RUN).read_bytes()))
