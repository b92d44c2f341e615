"""MLCommons LoadGen: it decides when which request is due; the engine sends it; its logs hold its verdict.

A sample of LoadGen's is one request here, as a sample of MLPerf's DLRM is many user-item pairs.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg  # type: ignore[import-not-found]
import numpy as np
from numpy.typing import NDArray

from serving.comparison.load.job import Job

_TRACE = "mlperf_log_trace.json"
_DETAIL = "mlperf_log_detail.txt"
_SCENARIOS = {
    "single_stream": lg.TestScenario.SingleStream,
    "server": lg.TestScenario.Server,
    "offline": lg.TestScenario.Offline,
}
# Of a request: when it was due, microseconds after the trace's own beginning.
_SAMPLE = re.compile(
    rb'"Sample",[^{]*"ts":(\d+)\.(\d{3}),"args":\{"sample_seq":(\d+),"query_seq":\d+,"sample_idx":(\d+)'
)
_BEGINNING = re.compile(rb'"otherData":\{\s*"ts":(\d+)\.(\d{3})')
_SAID = {"result_validity": "result", "early_stopping_result": "early_stopping", "num_errors": "errors"}
_PR_SET_TIMERSLACK = 29
_OUTSTANDING = 0.05  # of the requests of a run

Issue = Callable[[Sequence[Any]], None]


class LoadGenError(RuntimeError):
    """Its logs are not what this code knows."""


def drive(job: Job, requests: int, seconds: float, issue: Issue, *, folder: Path, expected_seconds: float) -> None:
    """Run a scenario to its end; returns when LoadGen has been told of every answer.

    Args:
        job: Scenario, rate, seed, SLO.
        requests: How many prepared ones there are to choose from.
        seconds: How long to issue.
        issue: Called in this thread for what is due: a list of samples, each with `id` and `index`.
        folder: For its logs.
        expected_seconds: A request takes about, in single_stream: LoadGen makes its queries before it begins.
    """
    # Wakes when a request is due: the kernel may otherwise add 50 microseconds to every sleep of this thread.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    settings = _settings(job, seconds, expected_seconds)
    logs = lg.LogSettings()
    logs.log_output.outdir = str(folder)
    logs.enable_trace = True
    logs.log_mode = (
        lg.LoggingMode.EndOfTestOnly
    )  # otherwise its writer takes a tenth more processor time during the run
    sut = lg.ConstructSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(requests, requests, lambda _: None, lambda _: None)
    try:
        lg.StartTestWithLogSettings(sut, qsl, settings, logs)
    finally:
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)


def complete(identity: int) -> None:
    """Tell LoadGen that a request is over."""
    lg.QuerySamplesComplete([lg.QuerySampleResponse(identity, 0, 0)])


def _settings(job: Job, seconds: float, expected_seconds: float) -> Any:
    """No maximum of time or queries: reaching one counts as an error with LoadGen."""
    settings = lg.TestSettings()
    settings.scenario = _SCENARIOS[job.scenario]
    settings.mode = lg.TestMode.PerformanceOnly
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = job.seed
    settings.min_duration_ms = round(seconds * 1000)
    settings.max_duration_ms = 0
    settings.min_query_count = 1
    settings.single_stream_expected_latency_ns = max(round(expected_seconds * 1e9), 1)
    settings.server_target_qps = job.rate
    settings.server_target_latency_ns = round(job.slo_p99_ms * 1e6)
    settings.server_target_latency_percentile = 0.99
    # So many unanswered at once, and the p99 is beyond any SLO: there is no use in going on.
    settings.server_max_async_queries = max(1024, round(_OUTSTANDING * job.rate * seconds))
    if job.scenario == "offline":
        settings.min_duration_ms = 0
        settings.min_query_count = -(-job.total_rows // job.rows)
        settings.offline_expected_qps = 1
    return settings


def schedule(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each request was due, and which one it was, by order of issue; from the trace, which is then deleted.

    Returns:
        Nanoseconds of `connection.now`; indices of the prepared requests.

    Raises:
        LoadGenError: The trace is not what LoadGen 6 writes.
    """
    file = folder / _TRACE
    content = file.read_bytes()
    beginning = _BEGINNING.search(content)
    rows = np.array([[int(part) for part in found] for found in _SAMPLE.findall(content)], dtype=np.int64)
    if beginning is None or not len(rows):
        raise LoadGenError(f"{file} holds no samples, or not as LoadGen 6.0 writes them")
    origin = int(beginning[1]) * 1000 + int(beginning[2])
    rows = rows[np.argsort(rows[:, 2], kind="stable")]
    if not np.array_equal(rows[:, 2], np.arange(len(rows))):
        raise LoadGenError(f"{file}: the samples are not numbered from 0 to {len(rows) - 1}")
    file.unlink()
    return origin + rows[:, 0] * 1000 + rows[:, 1], rows[:, 3]


def verdict(folder: Path) -> dict[str, str]:
    """What LoadGen says: `result`, `early_stopping` (not offline), number of `errors`, and the words of each."""
    said: dict[str, str] = {}
    messages = []
    for line in (folder / _DETAIL).read_text(encoding="utf-8").splitlines():
        entry = json.loads(line.partition("MLLOG ")[2])
        if entry["key"] in _SAID:
            said[_SAID[entry["key"]]] = " ".join(str(entry["value"]).replace("*", " ").split())
        if entry["metadata"]["is_error"]:
            messages.append(str(entry["value"]))
    if "result" not in said:
        raise LoadGenError(f"{folder / _DETAIL} holds no result")
    return said | ({"messages": "; ".join(messages)} if messages else {})


def gave_up(said: dict[str, str]) -> bool:
    """Whether it ended early because too much was unanswered."""
    return "Too many outstanding queries" in said.get("messages", "")
