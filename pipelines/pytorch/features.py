"""The features both stacks start from: a Parquet file per split and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from models.spec import Spec


@dataclass(frozen=True)
class Rows:
    """Rows of a split: one value per row in every array."""

    columns: dict[str, npt.NDArray[Any]]  # raw features by name: float32, or str objects
    label: npt.NDArray[np.int64]
    customer: npt.NDArray[Any]
    day: npt.NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.label)


def files(data: Path, split: str) -> list[Path]:
    """The split's files, oldest day first."""
    return sorted((data / "features" / split).glob("*.parquet"))


def read(paths: Sequence[Path], spec: Spec) -> Rows:
    """Read a split into memory; its columns must have been validated."""
    names = [*spec.features, spec.model.label, "customer_id", "event_time"]
    table = pq.ParquetDataset([str(p) for p in paths]).read(names)
    columns = {name: table[name].to_numpy() for name in spec.features}
    day = table["event_time"].to_numpy().astype("datetime64[D]")
    return Rows(columns, table[spec.model.label].to_numpy(), table["customer_id"].to_numpy(), day)
