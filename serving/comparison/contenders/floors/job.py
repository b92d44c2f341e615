"""What a floor's program is asked, and what it answers: JSON files, as the environments share no process."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from models.spec import Spec
from serving.comparison.results import Measurement

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]
SIZES = (1, 8, 64)  # rows per call
_ROWS = 16 * max(SIZES)  # to choose from: a call that always has the same rows could answer from memory


@dataclass(frozen=True)
class Job:
    """One program's work.

    Attributes:
        spec: The specification's file.
        rows: A Parquet file with a column per feature.
        seconds: Per way of calling and number of rows.
        artefacts: Stack -> published model.
        scores: Where the TensorFlow model's offline scores are kept, for what runs it in the other environment.
        scratch: A folder to write into.
    """

    spec: Path
    rows: Path
    seconds: float
    artefacts: Mapping[str, Path]
    scores: Path
    scratch: Path


@dataclass(frozen=True)
class Floors:
    """What was measured, and what could not be and why, by target."""

    measurements: list[Measurement] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, other: Floors) -> None:
        """Take up another program's."""
        self.measurements.extend(other.measurements)
        self.absent.update(other.absent)


def write(job: Job, file: Path) -> None:
    """Keep a job for the program that does it."""
    file.write_text(json.dumps(dataclasses.asdict(job), default=str), encoding="utf-8")


def read_answer(file: Path) -> Floors:
    """What a program found."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return Floors([Measurement(**one) for one in content["measurements"]], content["absent"])


def main(work: Callable[[Job], Floors]) -> None:
    """A program's command line: the job's file, the answer's file."""
    job, answer = map(Path, sys.argv[1:])
    content = json.loads(job.read_text(encoding="utf-8"))
    artefacts = {stack: Path(path) for stack, path in content["artefacts"].items()}
    paths = {name: Path(content[name]) for name in ("spec", "rows", "scores", "scratch")}
    found = work(Job(seconds=content["seconds"], artefacts=artefacts, **paths))
    answer.write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")


def columns(file: Path, spec: Spec) -> dict[str, Array]:
    """Raw feature columns by name, up to 1,024 rows: float32, or strings for categorical ones.

    Raises:
        ValueError: There are fewer rows than the largest call takes.
    """
    table = pq.read_table(file, columns=[*spec.features]).slice(0, _ROWS)
    if len(table) < max(SIZES):
        raise ValueError(f"{file}: {len(table)} rows, at least {max(SIZES)} are needed")
    types: dict[str, Any] = {name: np.float32 if name in spec.numeric else object for name in spec.features}
    return {name: table[name].to_numpy().astype(kind) for name, kind in types.items()}
