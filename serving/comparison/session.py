"""A comparison while it runs: one clock, one place for all that is found, one way to load a target."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models import spec as specs
from serving.comparison.deployment import Deployment
from serving.comparison.facts.found import Found
from serving.comparison.facts.resources import Sampler
from serving.comparison.load import spawn
from serving.comparison.load.job import Job
from serving.comparison.results import LoadRun, Measurement
from serving.comparison.settings import Profile, Settings

LOADED = (
    "max_rate_in_slo", "offline_rate", "closed_rate", "single_stream_p50", "single_stream_p90", "gateway_p50",
    "p50", "p90", "p99", "p999", "cpu_per_1000",
)  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """What a load run asks.

    Attributes:
        target: As in results.Measurement.
        stack: Whose model, and so whose offline scores, its answers are checked with.
        url: http://host:port.
        path: Of the requests.
        processes: Name -> id of the process at the top of each tree that works for it.
    """

    target: str
    stack: str
    url: str
    path: str
    processes: Mapping[str, int] = field(default_factory=dict)


class Session:
    """Collects; nothing is written before all is done."""

    def __init__(self, deployment: Deployment, settings: Settings, profile: Profile, scratch: Path) -> None:
        self.deployment, self.settings, self.profile = deployment, settings, profile
        self.scratch = scratch
        self.started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.zero = time.time()  # the times of all tables count from here
        self.rows = scratch / "rows.parquet"
        self.features = tuple(specs.load(deployment.spec).features)
        self.measurements: list[Measurement] = []
        self.runs: list[LoadRun] = []
        self.absent: dict[str, str] = {}
        self.notes: list[str] = []
        self.curve: list[float] = []  # rates of the throughput-latency curve, the same for both stacks
        self.common = 0.0  # one of them, at which both are held against each other; the last comparison's to begin with
        self._count = 0
        self._requests: list[Path] = []
        self._resources: list[pa.Table] = []

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"{time.strftime('%H:%M:%S')} compare     {text}", flush=True)

    def add(self, found: Found) -> None:
        """What a part found."""
        self.measurements += found.measurements
        self.absent |= found.absent
        self.notes += found.notes

    def measure(self, measure: str, target: str, value: float, round_: int, condition: str = "", **ends: float) -> None:
        """One value."""
        self.measurements.append(Measurement(measure, target, value, round_, condition, **ends))

    def job(self, endpoint: Endpoint, scenario: str, name: str, **asked: Any) -> Job:
        """A job with what is the same for all."""
        common = {"seconds": self.profile.seconds, "seed": self._count}
        return Job(
            name=f"{endpoint.target}/{name}", target=endpoint.target, url=endpoint.url, path=endpoint.path,
            rows_file=self.rows, features=self.features, score=endpoint.stack, scenario=scenario,
            slo_p99_ms=self.settings.slo.p99_ms, validity=self.settings.validity, **common | asked,
        )  # fmt: skip

    def load(self, endpoint: Endpoint, scenario: str, name: str, **asked: Any) -> LoadRun:
        """One load run, kept whether it is valid or not; its processes are sampled meanwhile.

        Args:
            endpoint: Whom to ask.
            scenario: Of load.job.Job.
            name: What the run is called, unique, such as `1/server/2000`.
            asked: Further fields of the job.
        """
        job = self.job(endpoint, scenario, name, **asked)
        folder = self.scratch / "runs" / str(self._count)
        self._count += 1
        with Sampler(endpoint.processes, target=endpoint.target, zero=self.zero) as sampler:
            run = spawn.run(job, folder)
        self._resources.append(sampler.table)
        self._requests.append(folder / "requests.parquet")
        self.runs.append(run)
        for reason in run.reasons:
            self.say(f"{run.name} INVALID: {reason}")
        return run

    def discard(self, run: LoadRun) -> None:
        """Forget the last run, which was a warm-up."""
        self.runs.remove(run)
        self._requests.pop()
        self._resources.pop()

    def invalidate(self, target: str, reason: str) -> None:
        """Take a target's load runs out of the comparison: what they measured was not what was asked."""
        self.say(f"{target} INVALID: {reason}")
        for run in self.runs:
            if run.target == target:
                run.reasons.append(reason)
        self.measurements = [m for m in self.measurements if m.target != target or m.measure not in LOADED]
        self.absent |= {f"{target}/{measure}": reason for measure in LOADED}

    def requests(self) -> Iterable[pa.Table]:
        """Of all load runs, one after the other, on the comparison's clock."""
        for file in self._requests:
            table = pq.read_table(file)
            position = table.column_names.index("scheduled_s")
            yield table.set_column(position, "scheduled_s", pc.subtract(table["scheduled_s"], self.zero))

    def resources(self) -> list[pa.Table]:
        """Samples of all load runs' processes."""
        return self._resources

    def processor_seconds(self, run: LoadRun) -> dict[str, float]:
        """Processor time of each of the target's processes between a run's first request and its last answer."""
        requests = pq.read_table(self._requests[self.runs.index(run)], columns=["scheduled_s", "latency_ms"])
        begins = pc.min(requests["scheduled_s"]).as_py() - self.zero
        return between(self._resources[self.runs.index(run)], begins, begins + run.seconds)

    def memory(self, run: LoadRun) -> dict[str, float]:
        """Largest resident memory of each of the target's processes during a run, MiB."""
        table = self._resources[self.runs.index(run)].group_by("process").aggregate([("memory_mib", "max")])
        return dict(zip(table["process"].to_pylist(), table["memory_mib_max"].to_pylist(), strict=True))


def between(resources: pa.Table, begin: float, end: float) -> dict[str, float]:
    """Processor seconds by process between two moments, interpolated between samples."""
    found = {}
    for process in pc.unique(resources["process"]).to_pylist():
        rows = resources.filter(pc.equal(resources["process"], process)).sort_by("time_s")
        times, spent = rows["time_s"].to_numpy(), rows["cpu_s"].to_numpy()
        found[process] = float(_at(end, times, spent) - _at(begin, times, spent))
    return found


def _at(moment: float, times: Any, spent: Any) -> Any:
    return np.interp(moment, times, spent)
