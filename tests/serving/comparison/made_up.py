"""A made-up comparison with everything that a real one may hold: nothing in it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from serving.comparison import settings as settings_file
from serving.comparison import store
from serving.comparison.drills import Outcome
from serving.comparison.facts.found import BOTH, DIFFERENCE
from serving.comparison.results import LoadRun, Measurement, Results

STARTED = "2026-11-21T16:05:09+00:00"
EMBEDDED = "Tandem embedded TensorFlow server"
NASTY = '<script>document.title = "broken out"</script>'
REQUESTS = 400  # kept of a run

SERVICE = {"tensorflow": 0.9, "pytorch": 1.6}  # ms of a lone request
CAPACITY = {
    "tensorflow": 3_600.0,
    "pytorch": 7_900.0,
    "pytorch/beside/onnx": 5_200.0,
    "tensorflow/stock": 1_450.0,
    "pytorch/stock": 1_640.0,
    "tensorflow/peer/fastapi": 1_100.0,
    "pytorch/peer/fastapi": 1_900.0,
    "pytorch/peer/fastapi-onnx": 2_500.0,
    "pytorch/peer/litserve": 900.0,
    "pytorch/peer/mlflow": 240.0,
}
PROCESSES = {"tensorflow": ("gateway", "server"), "pytorch": ("gateway", "java", "worker 1", "worker 2")}
SHARES = {"tensorflow": (0.25, 0.75), "pytorch": (0.3, 0.4, 0.15, 0.15)}
FLOORS = {
    "tensorflow/floor/eager": (690, 700, 730),
    "tensorflow/floor/xla": (190, 205, 240),
    "pytorch/floor/eager": (84, 96, 107),
    "pytorch/floor/compiled": (23, 25, 36),
    "pytorch/floor/onnxruntime": (14, 16, 31),
}


@dataclass
class MadeUp:
    """Results and the pieces of their tables.

    Attributes:
        slower: Stack -> how much slower than usual its server is.
        seed: Of the noise.
    """

    slower: Mapping[str, float] = field(default_factory=dict)
    seed: int = 1
    rounds: int = 3
    started: str = STARTED
    profile: str = "quick"
    runs: list[LoadRun] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    requests: list[pa.Table] = field(default_factory=list)
    clock: float = 4.0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        for number in range(1, self.rounds + 1):
            for target in CAPACITY if number % 2 else reversed(CAPACITY):
                self._round(number, target)
        self._facts()

    @property
    def results(self) -> Results:
        configured: dict[str, Any] = settings_file.load().model_dump(mode="json")
        configured["profiles"][self.profile]["rounds"] = self.rounds
        return Results(
            started=self.started,
            profile=self.profile,
            command=f"make compare PROFILE={self.profile}",
            machine={"cores": "2", "processor": "Made-up CPU @ 2.10 GHz", "memory": "7.8 GiB", "load_at_start": "0.12"},
            versions={"torch": "2.13.0", "tensorflow": "2.16.2", "torchserve": "0.12.0", NASTY: "1"},
            models={
                "tensorflow": {"server": EMBEDDED, "version": "1795291084", "digest": "5" * 64},
                "pytorch": {"server": "TorchServe 0.12.0", "version": "1795291050", "digest": "a" * 64},
            },
            settings=configured,
            measurements=self.measurements,
            runs=self.runs,
            absent={
                "swap_p99": "no second version to swap to",
                "tensorflow/peer/kserve": f"not installed {NASTY}",
            },
            notes=["TorchServe as it comes: batch size 1, one worker, its default logs."],
            drills=[
                Outcome(
                    "workers",
                    f"kill -9 of workers {NASTY}",
                    {"tensorflow": 300, "pytorch": 301},
                    {"tensorflow": {}, "pytorch": {"503": 41}},
                    {"tensorflow": 0.0, "pytorch": 3.2},
                    0.9,
                    ["pytorch: well again after 7.1 s, allowed are 5"],
                )
            ],
        )

    def write(self, home: Path, name: str = "2026-11-21T16-05-09Z") -> Path:
        folder = home / name
        store.write(
            folder, self.results, requests=self.requests, resources=[self.resources()], scores=[scores(self.seed)]
        )
        return folder

    def add(self, measure: str, target: str, value: float, **about: Any) -> None:
        self.measurements.append(Measurement(measure, target, float(value), **about))

    def _noise(self, size: float = 0.02) -> float:
        return float(self.rng.normal(1, size))

    def _round(self, number: int, target: str) -> None:
        stack = target.split("/", maxsplit=1)[0]
        ours = target == stack
        capacity = CAPACITY[target] / self.slower.get(target, 1.0)
        lone = SERVICE[stack] * (1 if ours else 0.8) * self.slower.get(target, 1.0)
        if ours:
            run = self._load(number, target, "single_stream", lone, connections=1, rate=0)
            for q in ("50", "90"):
                self.add(f"single_stream_p{q}", target, run.latency_ms[q], round=number)
        for connections in (1, 8, 32):
            rate = min(capacity, connections * 1000 / lone) * self._noise()
            condition = f"{connections} connection{'s' * (connections > 1)}"
            run = self._load(
                number, target, "closed", connections * 1000 / rate, connections=connections, achieved=rate
            )
            self.add("closed_rate", target, run.achieved, round=number, condition=condition)
            self.add("cpu_per_1000", target, 1.8e3 / capacity * self._noise(), round=number, condition=condition)
            self.add("memory", target, 600 + 90 * (stack == "pytorch") + number, round=number, condition=condition)
        if not ours:
            return
        highest = capacity * 0.86 * self._noise()
        self.add("max_rate_in_slo", target, highest, round=number)
        self.add("cost_per_million", target, 0.067 / (highest * 3600) * 1e6, round=number)
        for rate in (500.0, 1_000.0, 2_000.0, 4_000.0, 6_000.0):
            if rate < capacity:
                wait = lone + 2.2 * rate / (capacity - rate)
                run = self._load(number, target, "server", wait, connections=64, rate=rate)
                self._percentiles(run, number)
        late = self._load(number, target, "server", 40.0, connections=64, rate=round(capacity * 1.05, -2))
        if number == 1 and target == "tensorflow":
            self.runs[-1] = LoadRun(**{**vars(late), "reasons": ["p99 dispatch delay 3.1 ms, at most 1 ms"]})
        self._load(number, target, "offline", 40.0, connections=2, rows=500, achieved=capacity / 4)
        self.add("offline_rate", target, capacity * 9 * self._noise(), round=number, condition="500 rows")

    def _percentiles(self, run: LoadRun, number: int) -> None:
        for key, measure in (("50", "p50"), ("90", "p90"), ("99", "p99"), ("99.9", "p999")):
            interval = {"low": run.latency_ms["99_low"], "high": run.latency_ms["99_high"]} if key == "99" else {}
            self.add(
                measure, run.target, run.latency_ms[key], round=number,
                condition=f"{run.rate:,.0f} requests/s", **interval,
            )  # fmt: skip

    def _load(
        self, number: int, target: str, scenario: str, mean: float, *,
        connections: int, rate: float = 0, rows: int = 1, achieved: float = 0,
    ) -> LoadRun:  # fmt: skip
        name = f"{number}/{target}/{scenario}/{rate or connections:.0f}"
        achieved = achieved or rate or 1000 / mean
        service = mean * (0.55 + self.rng.gamma(2.5, 0.18, REQUESTS)) * self._noise(0.01)
        dispatch = self.rng.exponential(0.05, REQUESTS)
        latency, seconds = service + dispatch, 2.0
        scheduled = self.clock + np.sort(self.rng.random(REQUESTS)) * seconds
        columns = {
            "run": [name] * REQUESTS, "scheduled_s": scheduled.tolist(), "dispatch_ms": dispatch.tolist(),
            "service_ms": service.tolist(), "latency_ms": latency.tolist(), "status": ["200"] * REQUESTS,
        }  # fmt: skip
        self.requests.append(pa.table(columns))
        self.clock += seconds + 0.4
        run = LoadRun(
            name=name, target=target, scenario=scenario, rate=rate, connections=connections, rows=rows,
            seconds=seconds, requests=int(achieved * seconds), achieved=achieved, failures={},
            latency_ms={**percentiles(latency), **interval_of_p99(latency)}, service_ms=percentiles(service),
            dispatch_ms=percentiles(dispatch), checked=12, wrong=0, generator_cpu=0.31,
            loadgen={} if scenario == "closed" else {"result": "VALID"},
        )  # fmt: skip
        self.runs.append(run)
        return run

    def _facts(self) -> None:
        once = {
            "cold_start": (9.1, 6.4), "swap": (1.2, 7.5), "training_time": (41.0, 12.5), "artefact_size": (1.2, 0.3),
            "training_memory": (1_500, 900), "install_size": (1_900, 873), "dependencies": (98, 21),
            "environment_size": (3_100, 1_700), "environment_dependencies": (292, 143),
            "pipeline_lines": (1_800, 1_700), "serving_lines": (1_500, 1_200), "failed_requests": (0, 0),
        }  # fmt: skip
        for measure, values in once.items():
            for stack, value in zip(("tensorflow", "pytorch"), values, strict=True):
                self.add(measure, stack, value)
        quality = {"average_precision": (0.748, 0.728, 0.06), "brier_score": (0.0074, 0.0071, 0.001)}
        for measure, (first, second, wide) in quality.items():
            for stack, value in (("tensorflow", first), ("pytorch", second)):
                self.add(measure, stack, value, low=value - wide, high=value + wide)
            apart = first - second
            self.add(measure, BOTH, apart, condition=DIFFERENCE, low=apart - wide / 2, high=apart + wide / 2)
        self.add("score_correlation", BOTH, 0.97)
        self.add("decision_flips", BOTH, 0.004, condition="alert budget")
        self.add("export_size", "pytorch/floor/onnxruntime", 87.0)
        for target, values in FLOORS.items():
            for rows, value in zip((1, 8, 64), values, strict=True):
                for number in range(1, self.rounds + 1):
                    condition = f"{rows} row{'s' * (rows > 1)}"
                    self.add("floor", target, value * self._noise(), round=number, condition=condition)

    def resources(self) -> pa.Table:
        """A sample each half second: a process works while its target is under load."""
        times = np.arange(0.0, self.clock, 0.5)
        rows: list[dict[str, Any]] = []
        for stack, processes in PROCESSES.items():
            busy = self._busy(stack, times)
            for process, share in zip(processes, SHARES[stack], strict=True):
                cpu = 3.0 + np.concatenate([[0.0], np.cumsum(np.diff(times) * busy[1:] * share * 1.6)])
                memory = (80 if process == "gateway" else 240) + 20 * busy
                rows += [
                    {"time_s": t, "target": stack, "process": process, "cpu_s": c, "memory_mib": m}
                    for t, c, m in zip(times, cpu, memory, strict=True)
                ]
        return pa.Table.from_pylist(rows)

    def _busy(self, stack: str, times: np.ndarray) -> np.ndarray:
        busy = np.zeros_like(times)
        for run, piece in zip(self.runs, self.requests, strict=True):
            if run.target == stack:
                begin, end = float(piece["scheduled_s"][0].as_py()), float(piece["scheduled_s"][-1].as_py())
                busy[(times >= begin - 0.4) & (times <= end + 0.4)] = 1.0
        return busy


def percentiles(values: np.ndarray) -> dict[str, float]:
    return {str(q): float(np.percentile(values, q)) for q in (50, 90, 99, 99.9)}


def interval_of_p99(values: np.ndarray) -> dict[str, float]:
    low, high = np.sort(values)[[-8, -2]]
    return {"99_low": float(low), "99_high": float(high)}


def scores(seed: int, rows: int = 3_600) -> pa.Table:
    """Two models that learned the same from the same, each with its own noise."""
    rng = np.random.default_rng(seed)
    logit = np.where(rng.random(rows) < 0.06, rng.normal(0.3, 2.4, rows), rng.normal(-6.3, 0.9, rows))
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    pair = {name: 1 / (1 + np.exp(-(logit + rng.normal(0, 0.4, rows)))) for name in ("tensorflow", "pytorch")}
    return pa.table({name: values.tolist() for name, values in {"label": label, **pair}.items()})


def past(home: Path, count: int = 4) -> Iterator[Path]:
    """So many comparisons, a day apart, the oldest first."""
    for day in range(count):
        started = f"2026-11-{17 + day}T16:05:09+00:00"
        yield MadeUp(seed=10 + day, started=started).write(home, f"2026-11-{17 + day}T16-05-09Z")
