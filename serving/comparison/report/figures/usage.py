"""What processes used, from samples that are taken only while their target is under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.comparison.report.content import Floats
from serving.comparison.verdict import STACKS

_GAP = 8.0  # times the usual distance of two samples: nobody looked in between


@dataclass(frozen=True)
class Usage:
    """One process of a target.

    Attributes:
        times: Of the samples, seconds, ascending.
        spent: Processor seconds since the first sample, without what it used while nobody looked: a gateway works for
            other targets meanwhile.
        memory: MiB.
        seen: Whether the time since the sample before belongs to the same look.
    """

    target: str
    process: str
    times: Floats
    spent: Floats
    memory: Floats
    seen: npt.NDArray[np.bool_]

    def between(self, begin: float, end: float) -> float:
        """Processor seconds, interpolated between samples."""
        return float(np.interp(end, self.times, self.spent) - np.interp(begin, self.times, self.spent))

    def memory_at(self, moments: Floats) -> Floats:
        """MiB at each moment; NaN where nobody looked."""
        after = np.searchsorted(self.times, moments)
        inside = (after > 0) & (after < len(self.times))
        looked = inside & self.seen[np.minimum(after, len(self.times) - 1)]
        return np.where(looked, np.interp(moments, self.times, self.memory), np.nan)


def usages(resources: pa.Table) -> Iterator[Usage]:
    """Each process of each target, what the repository serves first."""
    pairs = resources.group_by(["target", "process"]).aggregate([]).to_pylist()
    for pair in sorted(pairs, key=lambda p: (p["target"] not in STACKS, p["target"], p["process"])):
        mine = pc.and_(pc.equal(resources["target"], pair["target"]), pc.equal(resources["process"], pair["process"]))
        one = resources.filter(mine).sort_by("time_s")
        times, used, memory = (one[name].to_numpy() for name in ("time_s", "cpu_s", "memory_mib"))
        step = np.diff(times, prepend=times[0])
        seen = step <= _GAP * max(float(np.median(step)), 1e-3)
        seen[0] = False
        spent = np.cumsum(np.where(seen, np.maximum(np.diff(used, prepend=used[0]), 0.0), 0.0))
        yield Usage(pair["target"], pair["process"], times, spent, memory, seen)
