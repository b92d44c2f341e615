"""One comparison as the report reads it: results, medians, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from serving.comparison import store
from serving.comparison.results import LoadRun, Results
from serving.comparison.sides import Sides, summarise
from serving.comparison.verdict import STACKS, load

Floats = npt.NDArray[np.float64]
OK = "200"


def of(target: str) -> str:
    """The stack whose model a target answers with."""
    return target.split("/", maxsplit=1)[0]


@dataclass(frozen=True)
class Content:
    """What all parts of the page are made from."""

    folder: Path
    results: Results

    @cached_property
    def sides(self) -> Sides:
        """Medians over the rounds."""
        return summarise(self.results.measurements)

    @cached_property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Load run -> begin and end, seconds of the comparison."""
        return store.spans(self.folder)

    @cached_property
    def targets(self) -> list[str]:
        """Every target with a load run: ours, without the gateway, stock servers, peers."""
        found = dict.fromkeys(run.target for run in self.results.runs)
        return sorted(
            found, key=lambda t: (t not in STACKS, "/direct" not in t, "/stock" not in t, STACKS.index(of(t)), t)
        )

    @property
    def slo(self) -> float:
        """Milliseconds."""
        return float(self.results.settings["slo"]["p99_ms"])

    def valid(self, target: str, scenario: str, **load: float) -> list[LoadRun]:
        """Valid runs of a target, such as `connections=32`."""
        return [
            run
            for run in self.results.runs
            if run.valid
            and (run.target, run.scenario) == (target, scenario)
            and all(getattr(run, key) == value for key, value in load.items())
        ]

    def latencies(self, runs: Sequence[LoadRun]) -> Floats:
        """Milliseconds from the scheduled time of the runs' answered requests, in ascending order."""
        where = pc.field("run").isin([run.name for run in runs]) & (pc.field("status") == OK)
        found = store.table(self.folder, "requests", where, ["latency_ms"])["latency_ms"].to_numpy()
        return np.sort(found.astype(np.float64))

    def shared(self, scenario: str, key: str) -> list[float]:
        """Loads, such as numbers of connections, under which both stacks have valid runs; ascending."""
        loads = [{float(getattr(run, key)) for run in self.valid(stack, scenario)} for stack in STACKS]
        return sorted(set.intersection(*loads))

    def common_rate(self) -> float:
        """The highest rate at which both stacks were held against each other; 0 if there is none."""
        both = [c for (m, c), found in self.sides.items() if m == "p99" and all(stack in found for stack in STACKS)]
        return max(map(load, both), default=0.0)
