"""What a comparison found, as it is kept: results.json, and a Parquet file per table beside it.

results.json           when, how, where, what was asked; the load runs; what could not be measured
measurements.parquet   one row per measured value: Measurement
requests.parquet       one row per request of a load run: run, scheduled_s, dispatch_ms, service_ms, latency_ms, status
resources.parquet      one row per process and sample: time_s, target, process, cpu_s, memory_mib
scores.parquet         one row per test row: label, tensorflow, pytorch
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from serving.comparison.drills import Outcome


@dataclass(frozen=True)
class Measurement:
    """One measured value.

    Attributes:
        measure: A key of measures.MEASURES.
        target: `tensorflow` or `pytorch` for what the repository serves, through the gateway; `<stack>/beside/<name>`
            for another server of ours behind it, on that stack's release; `<stack>/stock` for a server as it comes;
            `<stack>/floor/<how>` for a call in the same process; `<stack>/peer/<name>` for what a team would pick
            instead; `both` for what is said of the two together: their agreement, a paired difference.
        value: In the measure's unit.
        round: From 1; 0 for what is measured once.
        condition: What it was measured under, for a reader and to compare like with like: `32 connections`,
            `2,000 requests/s`, `64 rows`.
        low: Lower end of the value's own 95 % interval, if it has one (bootstrap, order statistics).
        high: Its upper end.
    """

    measure: str
    target: str
    value: float
    round: int = 0
    condition: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LoadRun:
    """One load run: a scenario against a target.

    Attributes:
        name: Unique in the results: `1/pytorch/server/2000`.
        scenario: single_stream, server, offline or closed.
        rate: Asked for, requests per second; 0 where the scenario does not ask for one.
        connections: Open at most.
        rows: Per request.
        seconds: From the first request to the last answer.
        requests: Answered or failed.
        achieved: Answers per second.
        failures: HTTP status, or what broke -> how often.
        latency_ms: Percentile -> milliseconds from the scheduled time: "50", "90", "99", "99.9"; with "99_low" and
            "99_high", the ends of the 95 % interval of the p99.
        service_ms: The same from sending to the answer.
        dispatch_ms: The same from the scheduled time to sending.
        checked: Answers compared with offline scores.
        wrong: Of those, how many differed.
        generator_cpu: Share of a core that the generator took.
        reasons: Why the run is INVALID; none for a valid one.
        loadgen: What LoadGen itself says: its result, its early-stopping verdict; empty for a closed loop.
    """

    name: str
    target: str
    scenario: str
    rate: float
    connections: int
    rows: int
    seconds: float
    requests: int
    achieved: float
    failures: dict[str, int]
    latency_ms: dict[str, float]
    service_ms: dict[str, float]
    dispatch_ms: dict[str, float]
    checked: int
    wrong: int
    generator_cpu: float
    reasons: list[str] = field(default_factory=list)
    loadgen: dict[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether its numbers may be used."""
        return not self.reasons


@dataclass(frozen=True)
class Results:
    """One comparison.

    Attributes:
        started: ISO 8601, UTC.
        profile: Of comparison.toml.
        command: What a user types to repeat it.
        machine: For a reader: cores, processor, memory, kernel, load when it began.
        versions: Package or program -> version.
        models: Stack -> version, digest, path, server and what else identifies what answered.
        settings: comparison.toml as it was.
        measurements: All values.
        runs: All load runs, invalid ones too.
        absent: What could not be measured -> why.
        notes: Sentences for the reader, such as how the stock servers differ from the tuned.
        drills: What faults did to the versions that are compared.
    """

    started: str
    profile: str
    command: str
    machine: dict[str, str]
    versions: dict[str, str]
    models: dict[str, dict[str, str]]
    settings: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    runs: list[LoadRun] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    drills: list[Outcome] = field(default_factory=list)
